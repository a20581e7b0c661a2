package channel

import (
	"fmt"
	"math"
	"slices"
)

// Value is what an attribute can hold.
type Value interface {
	bool | int64 | float64 | string
}

// Key is an attribute's name together with the type of its value:
//
//	const Load channel.Key[float64] = "load"
//
//	e.Attrs = append(e.Attrs, Load.Of(0.4))
//	v, ok := Load.In(e.Attrs)
//
// A name is 1 to 64 bytes.
type Key[T Value] string

// Of is the attribute of this name with the value v.
func (k Key[T]) Of(v T) Attr {
	a := Attr{Name: string(k)}
	switch v := any(v).(type) {
	case bool:
		a.kind = boolKind
		if v {
			a.num = 1
		}
	case int64:
		a.kind, a.num = intKind, uint64(v)
	case float64:
		a.kind, a.num = floatKind, math.Float64bits(v)
	case string:
		a.kind, a.str = stringKind, v
	}
	return a
}

// In finds the attribute of this name in attrs. It reports false when there is
// none, or when it holds a value of another type: a peer's mistake in a type
// reads as absence, never as zero.
func (k Key[T]) In(attrs Attrs) (v T, ok bool) {
	for i := range attrs {
		if attrs[i].Name == string(k) {
			return value[T](&attrs[i])
		}
	}
	return v, false
}

func value[T Value](a *Attr) (v T, ok bool) {
	switch p := any(&v).(type) {
	case *bool:
		*p, ok = a.num == 1, a.kind == boolKind
	case *int64:
		*p, ok = int64(a.num), a.kind == intKind
	case *float64:
		*p, ok = math.Float64frombits(a.num), a.kind == floatKind
	case *string:
		*p, ok = a.str, a.kind == stringKind
	}
	if !ok {
		var zero T
		return zero, false
	}
	return v, true
}

type kind uint8

const (
	noKind kind = iota
	boolKind
	intKind
	floatKind
	stringKind
)

// Attr is one typed name-value pair. It is made by Key.Of and read by Key.In;
// the zero Attr is refused by Submit.
type Attr struct {
	Name string
	kind kind
	num  uint64
	str  string
}

// Value is the attribute's value as a bool, int64, float64 or string, for
// printing; nil for the zero Attr.
func (a Attr) Value() any {
	switch a.kind {
	case boolKind:
		return a.num == 1
	case intKind:
		return int64(a.num)
	case floatKind:
		return math.Float64frombits(a.num)
	case stringKind:
		return a.str
	}
	return nil
}

// String is "name=value".
func (a Attr) String() string { return fmt.Sprintf("%s=%v", a.Name, a.Value()) }

// Attrs is a short list of attributes; where a name stands twice, the first
// counts.
type Attrs []Attr

// With is a copy of as in which each of attrs replaces the attribute of its
// name, or is added.
func (as Attrs) With(attrs ...Attr) Attrs {
	out := slices.Clone(as)
	for _, a := range attrs {
		i := slices.IndexFunc(out, func(have Attr) bool { return have.Name == a.Name })
		if i >= 0 {
			out[i] = a
		} else {
			out = append(out, a)
		}
	}
	return out
}

// Clone is a copy that shares nothing with as but immutable strings.
func (as Attrs) Clone() Attrs { return slices.Clone(as) }
