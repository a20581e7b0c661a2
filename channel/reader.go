package channel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

var errTruncated = errors.New("frame ends in the middle of its head")

func errShape(what string) error { return errors.New("envelope with " + what) }

// reader takes values off the front of b. The first error stays; after it b is
// empty and everything reads as zero. Each method tries first what is most
// common: that halves the time of a whole envelope.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// take is the next n bytes.
func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.fail(errTruncated)
		return nil
	}
	head := r.b[:n]
	r.b = r.b[n:]
	return head
}

// peek is the next byte, msgNil at the end.
func (r *reader) peek() byte {
	if len(r.b) == 0 {
		return msgNil
	}
	return r.b[0]
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail(errTruncated)
		return msgNil
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// bits is the number that the next n bytes are: 1, 2, 4 or 8.
func (r *reader) bits(n int) uint64 {
	b := r.take(n)
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(b))
	case 4:
		return uint64(binary.BigEndian.Uint32(b))
	case 8:
		return binary.BigEndian.Uint64(b)
	}
	return 0
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

// text is the string that starts here, at most limit bytes, as a part of b.
func (r *reader) text(limit int) []byte {
	if c := r.peek(); c&0xe0 == fixString {
		if n := int(c & 0x1f); n < len(r.b) { // and n < 32, which no limit forbids
			s := r.b[1 : 1+n]
			r.b = r.b[1+n:]
			return s
		}
	}
	return r.longText(limit)
}

func (r *reader) longText(limit int) []byte {
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

func isString(c byte) bool { return c&0xe0 == fixString || c == msgStr8 || c == msgStr16 }

func (r *reader) uint() uint64 {
	if len(r.b) >= 5 && r.b[0] == msgUint32 { // a sequence number
		v := binary.BigEndian.Uint32(r.b[1:])
		r.b = r.b[5:]
		return uint64(v)
	}
	return r.anyUint()
}

func (r *reader) anyUint() uint64 {
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
	c := r.peek()
	switch {
	case c < 0x80 || c >= 0xe0:
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

// pairCount is the number of name-value pairs in the list that starts here.
func (r *reader) pairCount() int {
	n := r.array()
	if n%2 != 0 || n > 2*MaxAttrs {
		r.fail(fmt.Errorf("attribute list of %d elements: want pairs, at most %d", n, MaxAttrs))
		return 0
	}
	return n / 2
}

func (r *reader) unexpected(c byte, want string) {
	r.fail(fmt.Errorf("byte 0x%02x where %s should start", c, want))
}
