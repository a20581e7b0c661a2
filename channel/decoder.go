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
	head  head         // of the last event
	rest  rest         // of the last event
	attrs Attrs        // of the last event
	from  *description // the peer's newest; nil: none
	far   *description // that of the last source in another cluster; nil: none
	path  []string     // of the last event from another cluster
	names intern       // of types and attributes
	texts intern       // values of string attributes, which may be any number
}

// head is the beginning of a frame, up to the sequence number: what events that
// come one after the other mostly have in common.
type head struct {
	raw      []byte // empty: there was none
	channel  []byte // its name, a part of raw
	fields   int
	typ      Type
	priority Priority
	source   NodeID
}

// rest is what follows the sequence number up to the body. Events of one kind
// often have that in common too; their attributes are the decoder's.
type rest struct {
	raw  []byte // empty: it is not kept
	left time.Duration
	re   ID
	from *description // the source's; the same one until it changes
	path []string
}

// maxRest is the longest rest that is worth keeping for the next event.
const maxRest = 256

// decode parses frame into e, whose Attrs and Body then are parts of frame or
// of what d lends; both are good until the next call. It leaves e.From and
// e.Deadline alone: d.rest has what they come from, and d.head the channel. same
// says that channel, type, priority and source are those of the last frame. It
// allocates nothing that the frame's own length does not
// bound, and nothing at all once d knows the names, unless the source's
// description changes: that is shared with whoever looks at sinks.
func (d *decoder) decode(frame []byte, e *Event) (same bool, err error) {
	r := reader{b: frame}
	// No head is the beginning of another, so equal bytes are an equal head.
	if same = len(d.head.raw) > 0 && bytes.HasPrefix(frame, d.head.raw); same {
		r.b = frame[len(d.head.raw):]
	} else if err := d.readHead(&r); err != nil {
		return false, err
	}
	e.Type, e.Priority = d.head.typ, d.head.priority
	e.ID = ID{Source: d.head.source, Seq: r.uint()}
	if same && len(d.rest.raw) > 0 && bytes.HasPrefix(r.b, d.rest.raw) {
		r.b = r.b[len(d.rest.raw):]
	} else if err := d.readRest(&r); err != nil {
		return false, err
	}
	if len(frame)-len(r.b) > MaxHead || len(r.b) > MaxBody {
		return false, fmt.Errorf("head of %d and body of %d bytes: %w", len(frame)-len(r.b), len(r.b), ErrTooLarge)
	}
	e.Re, e.Path, e.Attrs, e.Body = d.rest.re, d.rest.path, d.attrs, r.b
	return same, nil
}

// readRest parses what follows the sequence number, and keeps it if it is sound.
func (d *decoder) readRest(r *reader) error {
	start, known := r.b, &d.from
	d.rest.raw = d.rest.raw[:0]
	left := r.uint()
	d.rest.re = ID{Source: NodeID(r.uint()), Seq: r.uint()}
	if d.head.fields == routedFields {
		known = &d.far // else they would take turns, and be made anew each time
	}
	d.rest.from = d.description(r, known)
	d.attrs = d.pairs(r, d.attrs)
	d.rest.path = nil
	if d.head.fields == routedFields {
		d.rest.path = d.clusters(r)
	}
	switch {
	case r.err != nil:
		return r.err
	case left > uint64(math.MaxInt64/time.Microsecond):
		return errShape("a time left that no clock can hold")
	}
	d.rest.left = time.Duration(left) * time.Microsecond
	if size := len(start) - len(r.b); size <= maxRest {
		d.rest.raw = append(d.rest.raw, start[:size]...)
	}
	return nil
}

// readHead parses what frame begins with, and keeps it if it is sound.
func (d *decoder) readHead(r *reader) error {
	frame := r.b
	d.head.raw = d.head.raw[:0]
	fields := r.array()
	if r.err == nil && fields != envelopeFields && fields != routedFields {
		return fmt.Errorf("envelope has %d fields, want %d or %d", fields, envelopeFields, routedFields)
	}
	channel := len(r.text(MaxName))
	end := len(frame) - len(r.b) // of the channel's name
	if typ := r.text(MaxName); string(d.head.typ) != string(typ) {
		d.head.typ = Type(d.names.string(typ))
	}
	priority := r.int()
	d.head.fields, d.head.priority, d.head.source = fields, Priority(priority), NodeID(r.uint())
	switch {
	case r.err != nil:
		return r.err
	case d.head.typ == "":
		return errShape("an event without a type")
	case priority < -1 || priority > 1:
		return errShape("a priority that is none of -1, 0 and 1")
	}
	d.head.raw = append(d.head.raw, frame[:len(frame)-len(r.b)]...)
	d.head.channel = d.head.raw[end-channel : end]
	return nil
}

// description is the source's description, which starts here; known is the one
// before it.
func (d *decoder) description(r *reader, known **description) *description {
	if *known == nil {
		*known = emptyDescription
	}
	// No list is the beginning of another, so equal bytes are an equal list.
	if bytes.HasPrefix(r.b, (*known).raw) {
		r.b = r.b[len((*known).raw):]
		return *known
	}
	start := r.b
	next := new(description)
	copy(next.attrSpace[:], (*known).attrs)
	next.attrs = d.pairs(r, next.attrSpace[:0])
	if r.err == nil {
		next.raw = append(next.rawSpace[:0], start[:len(start)-len(r.b)]...)
		*known = next
	}
	return *known
}

// clusters parses a path.
func (d *decoder) clusters(r *reader) []string {
	n := r.array()
	if n == 0 || n > MaxPath {
		r.fail(fmt.Errorf("path of %d clusters, want 1 to %d", n, MaxPath))
		return nil
	}
	d.path = d.path[:0]
	for range n {
		name := r.text(MaxName)
		if len(name) == 0 {
			r.fail(errShape("a cluster without a name"))
			return nil
		}
		d.path = append(d.path, d.names.string(name))
	}
	return d.path
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
