package channel

import (
	"reflect"
	"strings"
	"testing"
)

// packed is a struct of what messages hold.
type packed struct {
	Name   string
	Count  int64
	Fields []pairOf
	Data   []byte
	Share  float64
	OK     bool
	Map    map[string]int
}

type pairOf struct{ Name, Value string }

var sample = packed{
	Name: "name", Count: -1 << 40, Fields: []pairOf{{"a", "b"}, {"c", ""}}, Data: []byte{0, 1},
	Share: 0.25, OK: true, Map: map[string]int{"x": 1},
}

func TestPack(t *testing.T) {
	b, err := Pack(sample)
	if err != nil {
		t.Fatal(err)
	}
	var got packed
	if err := Unpack(b, &got); err != nil || !reflect.DeepEqual(got, sample) {
		t.Errorf("got %+v, %v, want %+v", got, err, sample)
	}
	if b2, err := Pack(&sample); err != nil || string(b2) != string(b) {
		t.Errorf("a pointer packs to %x, %v, the value to %x", b2, err, b)
	}
	if _, err := Pack(func() {}); err == nil {
		t.Error("a function is packed")
	}
}

// A later version's message has more fields, an earlier one's fewer.
func TestUnpackOtherVersions(t *testing.T) {
	type short struct {
		Name  string
		Count int64
	}
	type long struct {
		hidden int // not exported: not a field of the message
		Name   string
		Count  int64
		Fields []pairOf
		Data   []byte
		Share  float64
		OK     bool
		Map    map[string]int
		New    string
		List   []pairOf
	}
	newer, err := Pack(long{hidden: 1, Name: "n", Count: 3, New: "new", List: sample.Fields})
	if err != nil {
		t.Fatal(err)
	}
	older, err := Pack(short{Name: "n", Count: 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{newer, older} {
		got := packed{Share: 1, Name: "was here"} // and must not stay
		if err := Unpack(b, &got); err != nil || !reflect.DeepEqual(got, packed{Name: "n", Count: 3}) {
			t.Errorf("%x: got %+v, %v", b, got, err)
		}
	}
}

func TestUnpackErrors(t *testing.T) {
	whole, _ := Pack(sample)
	for what, c := range map[string]struct {
		b []byte
		v any
	}{
		"truncated":         {whole[:len(whole)-1], &packed{}},
		"more after it":     {append(whole[:len(whole):len(whole)], 0), &packed{}},
		"by name":           {[]byte{0x81, 0xa4, 'N', 'a', 'm', 'e', 0xa1, 'x'}, &packed{}},
		"nil":               {[]byte{msgNil}, &packed{}},
		"text":              {[]byte{0xa1, 'x'}, &packed{}},
		"wrong types":       {[]byte{0x92, 0x01, 0x01}, &packed{}},
		"not a pointer":     {whole, packed{}},
		"no struct":         {whole, new(any)},
		"nowhere":           {whole, nil},
		"inner of one more": {[]byte{0x93, 0xa1, 'n', 1, 0x91, 0x93, 0xa1, 'a', 0xa1, 'b', 0xa1, 'c'}, &packed{}},
	} {
		if err := Unpack(c.b, c.v); err == nil || !strings.HasPrefix(err.Error(), "unpack ") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
