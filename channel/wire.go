package channel

import (
	"encoding/binary"
	"math"
)

// The msgpack formats that the envelope uses
// (https://github.com/msgpack/msgpack/blob/master/spec.md).
const (
	fixArray   = 0x90
	fixString  = 0xa0
	msgNil     = 0xc0
	msgFalse   = 0xc2
	msgTrue    = 0xc3
	msgFloat64 = 0xcb
	msgUint8   = 0xcc
	msgUint32  = 0xce
	msgUint64  = 0xcf
	msgInt8    = 0xd0
	msgInt64   = 0xd3
	msgStr8    = 0xd9
	msgStr16   = 0xda
	msgArray16 = 0xdc
)

func appendArrayHeader(b []byte, n int) []byte {
	if n < 16 {
		return append(b, fixArray|byte(n))
	}
	return append(b, msgArray16, byte(n>>8), byte(n))
}

func appendString[T string | []byte](b []byte, s T) []byte {
	switch n := len(s); {
	case n < 32:
		b = append(b, fixString|byte(n))
	case n < 256:
		b = append(b, msgStr8, byte(n))
	default:
		b = append(b, msgStr16, byte(n>>8), byte(n))
	}
	return append(b, s...)
}

// appendUint64 always writes nine bytes: for what is random anyway.
func appendUint64(b []byte, v uint64) []byte {
	b = append(b, msgUint64)
	return binary.BigEndian.AppendUint64(b, v)
}

func appendUint(b []byte, v uint64) []byte {
	switch {
	case v < 0x80:
		return append(b, byte(v))
	case v <= math.MaxUint8:
		return append(b, msgUint8, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, msgUint8+1), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, msgUint8+2), uint32(v))
	}
	return appendUint64(b, v)
}

func appendInt(b []byte, v int64) []byte {
	switch {
	case v >= 0:
		return appendUint(b, uint64(v))
	case v >= -32:
		return append(b, byte(v))
	case v >= math.MinInt8:
		return append(b, msgInt8, byte(v))
	case v >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(b, msgInt8+1), uint16(v))
	case v >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(b, msgInt8+2), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, msgInt64), uint64(v))
}
