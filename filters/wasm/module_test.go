package wasm

import "slices"

// handmade is a module put together by hand, with what a test wants of it.
type handmade struct {
	filter []byte // the body of kecho_filter_1; nil: keeps sink 0
	buffer []byte // the body of kecho_buffer_1; nil: returns 1024
	start  []byte // the body of _initialize; nil: there is none

	pages    byte   // of memory; 0: 1
	table    []byte // a table's type; nil: there is none
	imports  string // the module of an imported function; empty: none
	noMemory bool   // it is not exported
	renamed  string // what kecho_filter_1 is called; empty: that
	params   byte   // of kecho_filter_1; 0: 2
}

// Instructions for bodies; each ends with end (0x0b).
var (
	keepFirst = []byte{0x20, 0, 0x41, 0, 0x36, 2, 0, 0x41, 1, 0x0b}                               // store 0 at offset, return 1
	keepNinth = []byte{0x20, 0, 0x41, 9, 0x36, 2, 0, 0x41, 1, 0x0b}                               // store 9
	keepTwice = []byte{0x20, 0, 0x41, 0, 0x36, 2, 0, 0x20, 0, 0x41, 0, 0x36, 2, 4, 0x41, 2, 0x0b} // store 0, 0, return 2
	returns   = func(n byte) []byte { return []byte{0x41, n, 0x0b} }                              // n is -64 to 63, 7 bits
	spins     = []byte{0x03, 0x40, 0x0c, 0, 0x0b, 0, 0x0b}                                        // loop, branch to it
	traps     = []byte{0, 0x0b}                                                                   // unreachable
	recurses  = []byte{0x20, 0, 0x20, 1, 0x10, 1, 0x0b}                                           // calls itself
	grows     = []byte{0x41, 0xff, 0xff, 0, 0x40, 0, 0x0b}                                        // memory.grow 16383, returns what that does
	overgrows = []byte{0x41, 0xff, 0xff, 0, 0x40, 0, 0x1a, 0, 0x0b}                               // the same, and unreachable
	growsWell = []byte{0x41, 21, 0x40, 0, 0x1a, 0x41, 0, 0x0b}                                    // memory.grow 21, three times 21 and one is all; returns 0
	buffer1Ki = []byte{0x41, 0x80, 8, 0x0b}                                                       // 1024
	nowhere   = []byte{0x41, 0x70, 0x0b}                                                          // -16
	nothing   = []byte{0x0b}
)

func or(body, otherwise []byte) []byte {
	if body == nil {
		return otherwise
	}
	return body
}

// vec is a length and its bytes.
func vec(b ...byte) []byte {
	n := len(b)
	if n < 128 {
		return append([]byte{byte(n)}, b...)
	}
	return append([]byte{byte(n&127 | 128), byte(n >> 7)}, b...)
}

func section(id byte, parts ...[]byte) []byte {
	return append([]byte{id}, vec(slices.Concat(parts...)...)...)
}

func export(name string, kind, index byte) []byte {
	return append(vec([]byte(name)...), kind, index)
}

// code is one function's body without locals.
func code(body []byte) []byte { return vec(append([]byte{0}, body...)...) }

func (h handmade) bytes() []byte {
	name, params := "kecho_filter_1", []byte{0x7f, 0x7f}
	if h.renamed != "" {
		name = h.renamed
	}
	if h.params != 0 {
		params = params[:h.params]
	}
	first := byte(0) // index of the first function of its own
	var imports []byte
	if h.imports != "" {
		first = 1
		imports = section(2, []byte{1}, vec([]byte(h.imports)...), vec([]byte("now")...), []byte{0, 2})
	}
	memory := byte(1)
	if h.pages != 0 {
		memory = h.pages
	}
	exports := [][]byte{export("kecho_buffer_1", 0, first), export(name, 0, first+1)}
	functions, bodies := []byte{2, 0, 1}, [][]byte{{2}, code(or(h.buffer, buffer1Ki)), code(or(h.filter, keepFirst))}
	if h.start != nil {
		exports = append(exports, export("_initialize", 0, first+2))
		functions, bodies = []byte{3, 0, 1, 2}, append(bodies, code(h.start))
		bodies[0] = []byte{3}
	}
	if !h.noMemory {
		exports = append(exports, export("memory", 2, 0))
	}
	var table []byte
	if h.table != nil {
		table = section(4, []byte{1}, h.table)
	}
	return slices.Concat(
		[]byte("\x00asm\x01\x00\x00\x00"),
		section(1, []byte{3, 0x60, 1, 0x7f, 1, 0x7f, 0x60}, vec(params...), []byte{1, 0x7f, 0x60, 0, 0}),
		imports, section(3, functions), table, section(5, []byte{1, 0, memory}),
		section(7, []byte{byte(len(exports))}, slices.Concat(exports...)),
		section(10, bodies...),
	)
}
