package channel

import (
	"errors"
	"fmt"
)

// scan walks over one msgpack value that must be all of b and allocates
// nothing: every length fits what is left, lists are at most MaxDepth deep
// and MaxList long.
func scan(b []byte) error {
	rest, err := scanValue(b, 0)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("%d bytes after the value", len(rest))
	}
	return nil
}

// errBytes is for a value that b is too short for.
var errBytes = errors.New("a length beyond the end")

// scanValue is b without the value at its front.
func scanValue(b []byte, depth int) ([]byte, error) {
	if len(b) == 0 {
		return nil, errBytes
	}
	c, b := b[0], b[1:]
	f := formats[c]
	if f.lengthBytes > len(b) {
		return nil, errBytes
	}
	n := f.fixed
	for _, d := range b[:f.lengthBytes] {
		n = n<<8 | int(d)
	}
	b = b[f.lengthBytes:]
	switch f.class {
	case scalar:
		if n < 0 || n > len(b)-f.extra { // negative: 4 GB where an int has 32 bits
			return nil, errBytes
		}
		return b[f.extra+n:], nil
	case list:
		return scanList(b, n, 1, depth)
	case dict:
		return scanList(b, n, 2, depth)
	}
	return nil, fmt.Errorf("byte 0x%02x starts no value", c)
}

func scanList(b []byte, n, each, depth int) ([]byte, error) {
	if n < 0 || n > MaxList {
		return nil, fmt.Errorf("list of %d elements: at most %d", n, MaxList)
	}
	if depth == MaxDepth {
		return nil, fmt.Errorf("more than %d lists within lists", MaxDepth)
	}
	var err error
	for range n * each {
		if b, err = scanValue(b, depth+1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

type class uint8

const (
	invalid class = iota
	scalar        // n bytes follow
	list          // n values follow
	dict          // n pairs of values follow
)

// format says how long what follows a first byte is: fixed, or as a number of
// lengthBytes bytes tells, and extra bytes beside (an extension's type).
type format struct {
	class       class
	lengthBytes int
	fixed       int
	extra       int
}

// formats is the format table of the msgpack specification.
var formats = func() (t [256]format) {
	for c := range 256 {
		switch {
		case c < 0x80 || c >= 0xe0:
			t[c] = format{class: scalar}
		case c < 0x90:
			t[c] = format{class: dict, fixed: c & 0x0f}
		case c < 0xa0:
			t[c] = format{class: list, fixed: c & 0x0f}
		case c < 0xc0:
			t[c] = format{class: scalar, fixed: c & 0x1f}
		}
	}
	t[0xc0], t[0xc2], t[0xc3] = format{class: scalar}, format{class: scalar}, format{class: scalar}
	for i := range 3 {
		t[0xc4+i] = format{class: scalar, lengthBytes: 1 << i}           // bin
		t[0xc7+i] = format{class: scalar, lengthBytes: 1 << i, extra: 1} // ext
		t[0xd9+i] = format{class: scalar, lengthBytes: 1 << i}           // str
	}
	t[0xca], t[0xcb] = format{class: scalar, fixed: 4}, format{class: scalar, fixed: 8}
	for i := range 4 {
		t[0xcc+i] = format{class: scalar, fixed: 1 << i} // uint
		t[0xd0+i] = format{class: scalar, fixed: 1 << i} // int
	}
	for i := range 5 {
		t[0xd4+i] = format{class: scalar, fixed: 1<<i + 1} // fixext
	}
	t[0xdc], t[0xdd] = format{class: list, lengthBytes: 2}, format{class: list, lengthBytes: 4}
	t[0xde], t[0xdf] = format{class: dict, lengthBytes: 2}, format{class: dict, lengthBytes: 4}
	return t
}()
