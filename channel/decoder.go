package channel

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"time"
)

// decoder parses one peer's frames and keeps from one to the next what spares
// work. It is owned by the peer's reader.
type decoder struct {
	typ   Type         // of the last event
	attrs Attrs        // of the last event
	from  *description // the peer's newest; nil: none
	names intern       // of types and attributes
	texts intern       // values of string attributes, which may be any number
}

// envelope is a parsed head. channel is a part of the frame.
type envelope struct {
	channel []byte
	left    time.Duration
	from    *description // the source's; the same one until it changes
}

// decode parses frame into e, whose Attrs and Body then are parts of frame or
// of what d lends; both are good until the next call. It leaves e.From and
// e.Deadline alone. It allocates nothing that the frame's own length does not
// bound, and nothing at all once d knows the names, unless the source's
// description changes: that is shared with whoever looks at sinks.
func (d *decoder) decode(frame []byte, e *Event) (envelope, error) {
	r := reader{b: frame}
	var env envelope
	if n := r.array(); r.err == nil && n != envelopeFields {
		return env, fmt.Errorf("envelope has %d fields, want %d", n, envelopeFields)
	}
	env.channel = r.text(MaxName)
	if typ := r.text(MaxName); string(d.typ) != string(typ) {
		d.typ = Type(d.names.string(typ))
	}
	priority := r.int()
	e.ID = ID{Source: NodeID(r.uint()), Seq: r.uint()}
	left := r.uint()
	e.Re = ID{Source: NodeID(r.uint()), Seq: r.uint()}
	env.from = d.description(&r)
	d.attrs = d.pairs(&r, d.attrs)
	if r.err != nil {
		return env, r.err
	}
	switch {
	case d.typ == "":
		return env, errShape("an event without a type")
	case priority < -1 || priority > 1:
		return env, errShape("a priority that is none of -1, 0 and 1")
	case left > uint64(math.MaxInt64/time.Microsecond):
		return env, errShape("a time left that no clock can hold")
	case len(frame)-len(r.b) > MaxHead || len(r.b) > MaxBody:
		return env, fmt.Errorf("head of %d and body of %d bytes: %w", len(frame)-len(r.b), len(r.b), ErrTooLarge)
	}
	e.Type, e.Priority, e.Attrs, e.Body = d.typ, Priority(priority), d.attrs, r.b
	env.left = time.Duration(left) * time.Microsecond
	return env, nil
}

// description is the source's description, which starts here.
func (d *decoder) description(r *reader) *description {
	if d.from == nil {
		d.from = emptyDescription
	}
	// No list is the beginning of another, so equal bytes are an equal list.
	if bytes.HasPrefix(r.b, d.from.raw) {
		r.b = r.b[len(d.from.raw):]
		return d.from
	}
	start := r.b
	next := new(description)
	copy(next.attrSpace[:], d.from.attrs)
	next.attrs = d.pairs(r, next.attrSpace[:0])
	if r.err == nil {
		next.raw = append(next.rawSpace[:0], start[:len(start)-len(r.b)]...)
		d.from = next
	}
	return d.from
}

// pairs parses an attribute list into attrs, from the start. What attrs holds
// there, and behind its end, is a guess: strings that come again are kept.
func (d *decoder) pairs(r *reader, attrs Attrs) Attrs {
	n := r.pairCount()
	attrs = slices.Grow(attrs[:0], n)[:n]
	for i := range attrs {
		a := &attrs[i]
		if name := r.text(MaxName); a.Name != string(name) {
			a.Name = d.names.string(name)
		}
		d.value(r, a)
		if r.err == nil && a.Name == "" {
			r.fail(errShape("an attribute without a name"))
		}
		if r.err != nil {
			return attrs[:i]
		}
	}
	return attrs
}

func (d *decoder) value(r *reader, a *Attr) {
	c := r.peek()
	if isString(c) {
		a.kind, a.num = stringKind, 0
		if text := r.text(MaxText); a.str != string(text) {
			a.str = d.texts.string(text)
		}
		return
	}
	a.str = ""
	switch {
	case c == msgFalse || c == msgTrue:
		a.kind, a.num = boolKind, uint64(c-msgFalse)
		r.b = r.b[1:]
	case c == msgFloat64:
		a.kind, a.num = floatKind, r.float()
	default:
		a.kind, a.num = intKind, uint64(r.int())
	}
}

// description is a node's attributes, encoded and decoded. It is immutable;
// most fit into the space that they bring along, which saves two of three
// allocations when a peer's load changes with each event.
type description struct {
	raw   []byte
	attrs Attrs

	rawSpace  [160]byte
	attrSpace [6]Attr
}

// emptyDescription is what an unknown node describes itself with.
var emptyDescription = &description{raw: []byte{fixArray}}

// intern makes strings of bytes, the same string each time for what comes
// again, so that what is common costs no allocation.
type intern map[string]string

// maxInterned bounds what a peer can make a decoder remember: 256 strings of
// at most 64 bytes in each table. A full table starts anew.
const maxInterned = 256

func (in *intern) string(b []byte) string {
	if s, ok := (*in)[string(b)]; ok { // does not allocate
		return s
	}
	s := string(b)
	switch {
	case len(b) > MaxName:
		return s
	case *in == nil:
		*in = make(intern)
	case len(*in) == maxInterned:
		clear(*in)
	}
	(*in)[s] = s
	return s
}
