package channel

import (
	"encoding/binary"
	"time"
)

// The envelope is an event's head as one msgpack array, followed by the raw
// body: see spec.md. It is appended and parsed by hand because it is on the
// path of every event; tests hold it against msgpack/v5.
//
// An event from another cluster has one field more: its Path.
const (
	envelopeFields = 10
	routedFields   = 11
)

// control is the name of the channel that carries the nodes' own events.
const control = ""

// appendEnvelope appends e as a frame. from is the description that the node
// stamps on it, as appendAttrs wrote it. left is the time until the deadline,
// 0 for none.
func appendEnvelope(b []byte, channel string, e *Event, left time.Duration, from []byte) []byte {
	fields := byte(envelopeFields)
	if len(e.Path) > 0 {
		fields = routedFields
	}
	b = append(b, fixArray|fields)
	b = appendString(b, channel)
	b = appendString(b, string(e.Type))
	b = append(b, byte(e.Priority)) // -1, 0, 1 are fixints
	b = appendUint64(b, uint64(e.ID.Source))
	b = appendUint(b, e.ID.Seq)
	b = appendUint(b, uint64(left/time.Microsecond))
	if e.Re.IsZero() {
		b = append(b, 0, 0)
	} else {
		b = appendUint64(b, uint64(e.Re.Source))
		b = appendUint(b, e.Re.Seq)
	}
	b = append(b, from...)
	b = appendArrayHeader(b, 2*len(e.Attrs))
	b = appendPairs(b, e.Attrs)
	if len(e.Path) > 0 {
		b = appendArrayHeader(b, len(e.Path))
		for _, cluster := range e.Path {
			b = appendString(b, cluster)
		}
	}
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
