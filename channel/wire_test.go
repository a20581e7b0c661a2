package channel

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

// Each format must be the shortest, as msgpack/v5 writes it, on both sides of
// every border.
func TestFormatsAtTheirBorders(t *testing.T) {
	expect := func(v any, got []byte) {
		t.Helper()
		var b bytes.Buffer
		enc := msgpack.NewEncoder(&b)
		enc.UseCompactInts(true)
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, b.Bytes()) {
			t.Errorf("%.40v is %.20x, msgpack/v5 writes %.20x", v, got, b.Bytes())
		}
	}
	for _, border := range []int64{
		0, 1 << 7, 1 << 8, 1 << 16, 1 << 32, math.MaxInt64,
		-32, math.MinInt8, math.MinInt16, math.MinInt32, math.MinInt64,
	} {
		for _, v := range []int64{border - 1, border, border + 1} { // wraps at the ends
			b := appendInt(nil, v)
			expect(v, b)
			if r := (reader{b: b}); r.int() != v || r.err != nil || len(r.b) > 0 {
				t.Errorf("%d is not read back", v)
			}
			if b := appendUint(nil, uint64(v)); v >= 0 {
				expect(v, b)
			} else if r := (reader{b: b}); r.uint() != uint64(v) || r.err != nil {
				t.Errorf("%d is not read back", uint64(v))
			}
		}
	}
	for _, n := range []int{0, 1, 31, 32, 255, 256, MaxText} {
		v := strings.Repeat("x", n)
		b := appendString(nil, v)
		expect(v, b)
		if r := (reader{b: b}); string(r.text(MaxText)) != v || r.err != nil || len(r.b) > 0 {
			t.Errorf("text of %d bytes is not read back", n)
		}
	}
	for _, n := range []int{0, 15, 16, 2 * MaxAttrs} {
		list := make([]bool, n)
		b := appendArrayHeader(nil, n)
		expect(list, append(b, bytes.Repeat([]byte{msgFalse}, n)...))
		if r := (reader{b: b}); r.array() != n || r.err != nil {
			t.Errorf("array of %d is not read back", n)
		}
	}
}
