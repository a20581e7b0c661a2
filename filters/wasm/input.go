package wasm

import (
	"encoding/binary"
	"math"
	"time"

	"kecho/channel"
	"kecho/filters/dynamic"
)

var le = binary.LittleEndian

// appendInput appends what spec.md calls the input; b is empty.
func appendInput(b []byte, d dynamic.Direction, e *channel.Event, sinks []channel.Sink) []byte {
	now := time.Now()
	out := uint32(0)
	if d == dynamic.Out {
		out = 1
	}
	left := int64(-1)
	if !e.Deadline.IsZero() {
		left = max(e.Deadline.Sub(now).Microseconds(), 0)
	}
	b = le.AppendUint32(b, out)
	b = le.AppendUint32(b, uint32(int32(e.Priority)))
	b = le.AppendUint64(b, uint64(e.ID.Source))
	b = le.AppendUint64(b, e.ID.Seq)
	b = le.AppendUint64(b, uint64(e.Re.Source))
	b = le.AppendUint64(b, e.Re.Seq)
	b = le.AppendUint64(b, uint64(left))
	b = le.AppendUint32(b, uint32(len(e.Body)))
	b = le.AppendUint32(b, uint32(len(e.Attrs)))
	b = le.AppendUint32(b, uint32(len(e.From)))
	b = le.AppendUint32(b, uint32(len(sinks)))
	b = le.AppendUint64(b, uint64(len(e.Type))) // a length and four zeros
	b = pad(append(b, e.Type...))
	b = appendAttrs(b, e.Attrs)
	b = appendAttrs(b, e.From)
	for i := range sinks {
		if len(b) > maxInput {
			break // the caller sees it
		}
		b = appendSink(b, &sinks[i], now)
	}
	return b
}

func appendSink(b []byte, s *channel.Sink, now time.Time) []byte {
	flags := uint32(0)
	if s.Local {
		flags |= 1
	}
	b = le.AppendUint64(b, uint64(s.Node))
	b = le.AppendUint64(b, uint64(max(now.Sub(s.Heard).Microseconds(), 0)))
	b = le.AppendUint32(b, flags)
	b = le.AppendUint32(b, uint32(len(s.Attrs)))
	return appendAttrs(b, s.Attrs)
}

func appendAttrs(b []byte, attrs channel.Attrs) []byte {
	for _, a := range attrs {
		var kind byte
		var value uint64
		var text string
		switch v := a.Value().(type) {
		case bool:
			kind = 1
			if v {
				value = 1
			}
		case int64:
			kind, value = 2, uint64(v)
		case float64:
			kind, value = 3, math.Float64bits(v)
		case string:
			kind, text = 4, v
		}
		b = append(b, kind, byte(len(a.Name)))
		b = le.AppendUint16(b, uint16(len(text)))
		b = append(b, 0, 0, 0, 0)
		b = le.AppendUint64(b, value)
		b = pad(append(append(b, a.Name...), text...))
	}
	return b
}

func pad(b []byte) []byte {
	var zeros [8]byte
	return append(b, zeros[:-len(b)&7]...)
}
