package channel

import (
	"encoding/binary"
	"errors"
	"fmt"
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

func appendString(b []byte, s string) []byte {
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

var errTruncated = errors.New("frame ends in the middle of its head")

func errShape(what string) error { return errors.New("envelope with " + what) }

// reader takes values off the front of b. The first error stays; after it
// everything reads as zero.
type reader struct {
	b   []byte
	err error
}

// take is the next n bytes.
func (r *reader) take(n int) []byte {
	if r.err != nil || n > len(r.b) {
		r.fail(errTruncated)
		return nil
	}
	head := r.b[:n]
	r.b = r.b[n:]
	return head
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// peek is the next byte, msgNil at the end.
func (r *reader) peek() byte {
	if len(r.b) == 0 {
		return msgNil
	}
	return r.b[0]
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return msgNil
}

// array is the length of the array that starts here; at most 65,535.
func (r *reader) array() int {
	switch c := r.byte(); {
	case c&0xf0 == fixArray:
		return int(c & 0x0f)
	case c == msgArray16:
		return int(r.bits(2))
	default:
		r.unexpected(c, "an array")
		return 0
	}
}

// pairCount is the number of name-value pairs in the list that starts here.
func (r *reader) pairCount() int {
	n := r.array()
	if n%2 != 0 || n > 2*MaxAttrs {
		r.fail(fmt.Errorf("attribute list of %d elements: want pairs, at most %d", n, MaxAttrs))
		return 0
	}
	return n / 2
}

func isString(c byte) bool { return c&0xe0 == fixString || c == msgStr8 || c == msgStr16 }

// text is the string that starts here, at most limit bytes, as a part of b.
func (r *reader) text(limit int) []byte {
	var n int
	switch c := r.byte(); {
	case c&0xe0 == fixString:
		n = int(c & 0x1f)
	case c == msgStr8:
		n = int(r.bits(1))
	case c == msgStr16:
		n = int(r.bits(2))
	default:
		r.unexpected(c, "a string")
		return nil
	}
	if n > limit {
		r.fail(fmt.Errorf("string of %d bytes, at most %d: %w", n, limit, ErrTooLarge))
		return nil
	}
	return r.take(n)
}

func (r *reader) bits(n int) (v uint64) {
	for _, c := range r.take(n) {
		v = v<<8 | uint64(c)
	}
	return v
}

func (r *reader) uint() uint64 {
	switch c := r.byte(); {
	case c < 0x80:
		return uint64(c)
	case c >= msgUint8 && c <= msgUint64:
		return r.bits(1 << (c - msgUint8))
	default:
		r.unexpected(c, "an unsigned integer")
		return 0
	}
}

func (r *reader) int() int64 {
	switch c := r.peek(); {
	case c >= 0xe0:
		r.b = r.b[1:]
		return int64(int8(c))
	case c >= msgInt8 && c <= msgInt64:
		r.b = r.b[1:]
		size := 1 << (c - msgInt8)
		shift := 64 - 8*size
		return int64(r.bits(size)<<shift) >> shift
	}
	v := r.uint()
	if v > math.MaxInt64 {
		r.fail(errShape("an integer beyond 63 bits"))
		return 0
	}
	return int64(v)
}

// float is the bits of the float64 that starts here.
func (r *reader) float() uint64 {
	if c := r.byte(); c != msgFloat64 {
		r.unexpected(c, "a float64")
		return 0
	}
	return r.bits(8)
}

// skipPairs walks over an attribute list.
func (r *reader) skipPairs() {
	for range r.pairCount() {
		r.text(MaxName)
		switch c := r.peek(); {
		case c == msgFalse || c == msgTrue:
			r.b = r.b[1:]
		case c == msgFloat64:
			r.take(9)
		case isString(c):
			r.text(MaxText)
		default:
			r.int()
		}
		if r.err != nil {
			return
		}
	}
}

func (r *reader) unexpected(c byte, want string) {
	r.fail(fmt.Errorf("byte 0x%02x where %s should start", c, want))
}
