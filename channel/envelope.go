package channel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"
)

// The envelope is an event's head as one msgpack array, followed by the raw
// body: see spec.md. It is appended and parsed by hand because it is on the
// path of every event; tests hold it against msgpack/v5.
const envelopeFields = 10

// control is the name of the channel that carries the nodes' own events.
const control = ""

// appendEnvelope appends e as a frame. from is the description that the node
// stamps on it, as appendAttrs wrote it. left is the time until the deadline,
// 0 for none.
func appendEnvelope(b []byte, channel string, e *Event, left time.Duration, from []byte) []byte {
	b = append(b, fixArray|envelopeFields)
	b = appendString(b, channel)
	b = appendString(b, string(e.Type))
	b = append(b, byte(e.Priority)) // -1, 0, 1 are fixints
	b = appendUint64(b, uint64(e.ID.Source))
	b = appendUint(b, e.ID.Seq)
	b = appendUint(b, uint64(left/time.Microsecond))
	b = appendUint64(b, uint64(e.Re.Source))
	b = appendUint(b, e.Re.Seq)
	b = append(b, from...)
	b = appendArrayHeader(b, 2*len(e.Attrs))
	b = appendPairs(b, e.Attrs)
	return append(b, e.Body...)
}

// appendPairs appends the elements of an attribute list, without its header.
func appendPairs(b []byte, attrs Attrs) []byte {
	for i := range attrs {
		a := &attrs[i]
		b = appendString(b, a.Name)
		switch a.kind {
		case boolKind:
			b = append(b, msgFalse+byte(a.num))
		case intKind:
			b = appendInt(b, int64(a.num))
		case floatKind:
			b = append(b, msgFloat64)
			b = binary.BigEndian.AppendUint64(b, a.num)
		case stringKind:
			b = appendString(b, a.str)
		default:
			b = append(b, msgNil)
		}
	}
	return b
}

// envelope is a parsed head. channel and from are parts of the frame.
type envelope struct {
	channel []byte
	left    time.Duration
	from    []byte // the source's description, still encoded
}

// decodeEnvelope parses frame into e, whose Attrs and Body then are parts of
// frame or of what d lends; both are good until the next call. It leaves
// e.From and e.Deadline alone. It allocates nothing that the frame's own
// length does not bound, and, once d knows the names, nothing at all.
func (d *decoder) decodeEnvelope(frame []byte, e *Event) (envelope, error) {
	r := reader{b: frame}
	var env envelope
	if n := r.array(); r.err == nil && n != envelopeFields {
		return env, fmt.Errorf("envelope has %d fields, want %d", n, envelopeFields)
	}
	env.channel = r.text(MaxName)
	e.Type = Type(d.names.string(r.text(MaxName)))
	priority := r.int()
	e.ID = ID{Source: NodeID(r.uint()), Seq: r.uint()}
	left := r.uint()
	e.Re = ID{Source: NodeID(r.uint()), Seq: r.uint()}
	start := len(frame) - len(r.b)
	r.skipPairs()
	env.from = frame[start : len(frame)-len(r.b)]
	d.attrs = d.pairs(&r, d.attrs[:0])
	if r.err != nil {
		return env, r.err
	}
	switch {
	case e.Type == "":
		return env, errShape("an event without a type")
	case priority < -1 || priority > 1:
		return env, errShape("a priority that is none of -1, 0 and 1")
	case left > uint64(math.MaxInt64/time.Microsecond):
		return env, errShape("a time left that no clock can hold")
	case len(frame)-len(r.b) > MaxHead || len(r.b) > MaxBody:
		return env, fmt.Errorf("head of %d and body of %d bytes: %w", len(frame)-len(r.b), len(r.b), ErrTooLarge)
	}
	e.Priority = Priority(priority)
	e.Attrs, e.Body = d.attrs, r.b
	env.left = time.Duration(left) * time.Microsecond
	return env, nil
}

// decoder is what decoding keeps from one frame of a peer to the next. It is
// owned by the peer's reader.
type decoder struct {
	attrs Attrs
	names intern // of types and attributes
	texts intern // values of string attributes, which may be any number
}

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

// pairs parses an attribute list and appends it to attrs.
func (d *decoder) pairs(r *reader, attrs Attrs) Attrs {
	n := r.pairCount()
	attrs = slices.Grow(attrs, n)
	for range n {
		name := r.text(MaxName)
		if r.err == nil && len(name) == 0 {
			r.err = errShape("an attribute without a name")
		}
		a := Attr{Name: d.names.string(name)}
		d.value(r, &a)
		if r.err != nil {
			return attrs
		}
		attrs = append(attrs, a)
	}
	return attrs
}

func (d *decoder) value(r *reader, a *Attr) {
	switch c := r.peek(); {
	case c == msgFalse || c == msgTrue:
		a.kind, a.num = boolKind, uint64(c-msgFalse)
		r.b = r.b[1:]
	case c == msgFloat64:
		a.kind, a.num = floatKind, r.float()
	case isString(c):
		a.kind, a.str = stringKind, d.texts.string(r.text(MaxText))
	default:
		a.kind, a.num = intKind, uint64(r.int())
	}
}

// description is a node's attributes, encoded and decoded.
type description struct {
	raw   []byte
	attrs Attrs
}

// emptyDescription is what an unknown node describes itself with.
var emptyDescription = &description{raw: []byte{fixArray}}

// describe decodes raw, which decodeEnvelope has walked over. It returns old
// when nothing has changed since.
func (d *decoder) describe(raw []byte, old *description) (*description, error) {
	if bytes.Equal(raw, old.raw) {
		return old, nil
	}
	desc := &description{raw: bytes.Clone(raw)}
	r := reader{b: desc.raw}
	desc.attrs = d.pairs(&r, nil)
	return desc, r.err
}
