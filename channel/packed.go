package channel

import "fmt"

// Packed bodies by hand: the bytes that Pack writes and Unpack reads, for what is
// on the path of every request. Tests hold the two against each other.

// AppendList appends the beginning of a list of n values, at most 65,535, or of a
// struct of n fields.
func AppendList(b []byte, n int) []byte { return appendArrayHeader(b, n) }

// AppendNil appends what stands for a list that is nil.
func AppendNil(b []byte) []byte { return append(b, msgNil) }

// AppendText appends a string of less than 64 KiB.
func AppendText[T string | []byte](b []byte, s T) []byte { return appendString(b, s) }

// AppendInt appends an integer.
func AppendInt(b []byte, v int64) []byte { return appendInt(b, v) }

// AppendBool appends a bool.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, msgTrue)
	}
	return append(b, msgFalse)
}

// Unpacker reads a packed struct, each method its next value; of lists within
// it first how many follow, then those. Fields that it lacks are zero. The first
// error stays, and all that follows is zero then. It allocates nothing but the
// copy of which what String returns is a part.
type Unpacker struct {
	r     reader
	all   []byte
	text  string // a copy of all; empty: none was made
	left  int    // fields of the struct that are to come
	inner int    // values of lists within it
}

// NewUnpacker begins to read what Pack, or who appended the same, has made.
func NewUnpacker(b []byte) Unpacker {
	u := Unpacker{r: reader{b: b}, all: b}
	u.left = u.r.array()
	return u
}

// next says whether a value is there; nil is none.
func (u *Unpacker) next() bool {
	switch {
	case u.inner > 0:
		u.inner--
	case u.left > 0:
		u.left--
	default:
		return false // an earlier version wrote it
	}
	if u.r.peek() == msgNil && len(u.r.b) > 0 {
		u.r.b = u.r.b[1:]
		return false
	}
	return u.r.err == nil
}

// List is how many values a list has, at most MaxList. They are read next.
func (u *Unpacker) List() int {
	if !u.next() {
		return 0
	}
	n := u.r.array()
	if n > MaxList {
		u.r.fail(fmt.Errorf("list of %d elements: at most %d", n, MaxList))
		return 0
	}
	u.inner += n
	return n
}

// Struct begins a struct of exactly n fields, in a list. They are read next.
func (u *Unpacker) Struct(n int) {
	if !u.next() || u.r.array() != n {
		u.r.fail(fmt.Errorf("a value that is no struct of %d fields", n))
		return
	}
	u.inner += n
}

// Text is a string, as a part of what is read.
func (u *Unpacker) Text() []byte {
	if !u.next() {
		return nil
	}
	return u.r.text(MaxBody)
}

// String is Text, for keeps.
func (u *Unpacker) String() string {
	p := u.Text()
	if len(p) == 0 {
		return ""
	}
	if u.text == "" {
		u.text = string(u.all)
	}
	end := len(u.all) - len(u.r.b)
	return u.text[end-len(p) : end]
}

// Int is an integer.
func (u *Unpacker) Int() int64 {
	if !u.next() {
		return 0
	}
	return u.r.int()
}

// Bool is a bool.
func (u *Unpacker) Bool() bool {
	if !u.next() {
		return false
	}
	switch c := u.r.byte(); c {
	case msgTrue:
		return true
	case msgFalse:
	default:
		u.r.unexpected(c, "a bool")
	}
	return false
}

// End leaves out the fields that a later version has added, and says what was
// wrong.
func (u *Unpacker) End() error {
	rest := u.r.b
	for ; u.r.err == nil && u.left > 0; u.left-- {
		var err error
		if rest, err = scanValue(rest, 1); err != nil {
			u.r.fail(err)
		}
	}
	if u.r.err == nil && len(rest) > 0 {
		u.r.fail(fmt.Errorf("%d bytes after the value", len(rest)))
	}
	return u.r.err
}
