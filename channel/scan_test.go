package channel

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"
)

// bombs are the few bytes that make a trusting decoder allocate gigabytes or
// overflow its stack.
var bombs = [][]byte{
	{0xdd, 0xff, 0xff, 0xff, 0xff},    // array of 4 billion
	{0xdf, 0xff, 0xff, 0xff, 0xff},    // map
	{0xc6, 0xff, 0xff, 0xff, 0xff},    // bytes
	{0xdb, 0xff, 0xff, 0xff, 0xff},    // string
	{0xc9, 0xff, 0xff, 0xff, 0xff, 1}, // extension
	{0xc9, 0x7f, 0xff, 0xff, 0xff, 1}, // extension, whose length and type overflow 32 bits
	{0xc7, 1, 5}, {0xd4, 5},           // an extension's type without its bytes
	{0xdc, 0xff, 0xff}, {0xde, 0xff, 0xff}, // 65,535 elements
	{0x93, 1, 2, 0xdd, 0xff, 0xff, 0xff, 0xff}, // not at the front
	{0x81, 0xa1, 'x', 0xdd, 0xff, 0xff, 0xff, 0xff},
	bytes.Repeat([]byte{0x91}, 5<<20),           // 5 million lists within lists
	bytes.Repeat([]byte{0x81, 1}, 5<<20),        // and maps
	append(bytes.Repeat([]byte{0x91}, 9), 0x90), // one too deep
	slices.Concat([]byte{0xdc, 1, 1}, zeros[:]), // 257 elements
	slices.Concat([]byte{0xde, 1, 1}, zeros[:]), // 257 pairs
	{0xc1},                                       // no format at all
	{0x92, 1}, {0x81, 1}, {0xa5, 'x'}, {0xcb, 1}, // truncated
	{}, {1, 1}, // nothing, and two
}

var zeros [2 * (MaxList + 1)]byte

func TestScanRefusesBombs(t *testing.T) {
	for _, b := range bombs {
		var v struct{ A any }
		if err := scan(b); err == nil {
			t.Errorf("%.20x is accepted", b)
		}
		if err := Unpack(b, &v); err == nil {
			t.Errorf("%.20x is unpacked", b)
		}
	}
	if n := testing.AllocsPerRun(10, func() { scan(bombs[12]) }); n > 10 {
		t.Errorf("scan allocates %v times for what it refuses", n)
	}
}

func TestScanAccepts(t *testing.T) {
	for _, b := range [][]byte{
		append(bytes.Repeat([]byte{0x91}, MaxDepth-1), 0x90),
		slices.Concat([]byte{0xdc, 1, 0}, zeros[:MaxList]),
		slices.Concat([]byte{0xde, 1, 0}, zeros[:2*MaxList]),
		{0xc0}, {0xc2}, {0xc3}, {0x7f}, {0xe0}, {0xd4, 1, 2}, {0xc7, 0, 1}, {0xc4, 0},
	} {
		if err := scan(b); err != nil {
			t.Errorf("%.20x: %v", b, err)
		}
	}
}

// Whatever msgpack/v5 encodes within the limits, scan accepts whole, and no
// part of it.
func TestScanAgreesWithTheEncoder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, err := msgpack.Marshal(drawValue(t, 5))
		if err != nil {
			t.Fatal(err)
		}
		if err := scan(b); err != nil {
			t.Fatalf("%x: %v", b, err)
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if err := scan(b[:cut]); err == nil {
			t.Fatalf("%x: accepted after %d bytes", b, cut)
		}
		if err := scan(append(b, 0)); err == nil {
			t.Fatalf("%x: accepted with a byte more", b)
		}
	})
}

func drawValue(t *rapid.T, depth int) any {
	most := 8
	if depth == 0 {
		most = 6
	}
	switch rapid.IntRange(0, most).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return rapid.Int64().Draw(t, "int")
	case 3:
		return rapid.Float64().Draw(t, "float")
	case 4:
		return rapid.StringN(0, 300, 70000).Draw(t, "text")
	case 5:
		return rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes")
	case 6:
		return rapid.Float32().Draw(t, "float32")
	case 7:
		list := []any{}
		for range rapid.IntRange(0, 20).Draw(t, "length") {
			list = append(list, drawValue(t, depth-1))
		}
		return list
	default:
		pairs := map[string]any{}
		for range rapid.IntRange(0, 20).Draw(t, "length") {
			pairs[rapid.StringN(0, 40, 100).Draw(t, "key")] = drawValue(t, depth-1)
		}
		return pairs
	}
}

// FuzzUnpack: no bytes make Unpack panic or allocate much more than they are,
// into structs or, as in an unknown field, into anything.
func FuzzUnpack(f *testing.F) {
	for _, b := range bombs {
		f.Add(b[:min(len(b), 1000)])
	}
	for _, v := range []any{Announcement{Version: 1 << 40, Channels: []string{"a", "b"}}, sample} {
		b, err := Pack(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > MaxFrame {
			return
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var a Announcement
		var p packed
		err := errors.Join(Unpack(b, &a), Unpack(b, &p))
		if scan(b) == nil {
			var v any
			msgpack.Unmarshal(b, &v) // may fail: no key of a Go map is a list
		} else if err == nil {
			t.Error("unpacked, but scan refuses it")
		}
		runtime.ReadMemStats(&after)
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(1<<20+400*len(b)); got > most {
			t.Errorf("%d bytes allocated for %d", got, len(b))
		}
	})
}
