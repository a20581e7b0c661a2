package policy

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestRanks holds the ranks against sorting.
func TestRanks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newRanks(waits)
		var in []*Request
		for i := range rapid.IntRange(0, 60).Draw(t, "requests") {
			r := &Request{id: uint64(i), Class: Class(rapid.IntRange(int(FirstClass), int(LastClass)).Draw(t, "class")),
				key: time.Duration(rapid.IntRange(0, 20).Draw(t, "key")), Bytes: int64(rapid.IntRange(0, 9).Draw(t, "bytes"))}
			q.add(r)
			in = append(in, r)
			if rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
				k := rapid.IntRange(0, len(in)-1).Draw(t, "which")
				q.remove(in[k])
				q.remove(in[k]) // it is not in any more
				in = slices.Delete(in, k, k+1)
			}
		}
		for len(in) > 0 {
			slices.SortFunc(in, func(a, b *Request) int {
				return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.key, b.key), cmp.Compare(a.id, b.id))
			})
			if q.first() != in[0] || q.hindmost() != in[len(in)-1] || q.len() != len(in) {
				t.Fatalf("%d wait, first %+v, last %+v; want %d, %+v, %+v", q.len(), q.first(), q.hindmost(), len(in), in[0], in[len(in)-1])
			}
			checkUpTo(t, &q, in)
			q.remove(in[0])
			in = in[1:]
		}
		if n, bytes := q.upTo(LastClass); q.len() != 0 || n != 0 || bytes != 0 || q.first() != nil || q.hindmost() != nil {
			t.Fatal("the ranks are not empty")
		}
	})
}

// checkUpTo holds what is said of a class and those above it against a walk.
func checkUpTo(t *rapid.T, q *ranks, in []*Request) {
	class := Class(rapid.IntRange(int(FirstClass), int(LastClass)).Draw(t, "up to"))
	n, bytes, oldest := 0, int64(0), (*Request)(nil)
	for _, r := range in {
		if r.Class > class {
			continue
		}
		n++
		bytes += r.Bytes
		if oldest == nil || r.key < oldest.key {
			oldest = r
		}
	}
	gotN, gotBytes := q.upTo(class)
	got := q.oldest(class)
	if gotN != n || gotBytes != bytes || (got == nil) != (oldest == nil) || got != nil && got.key != oldest.key {
		t.Fatalf("up to class %d: %d with %d bytes, oldest %+v; want %d, %d, %+v", class, gotN, gotBytes, got, n, bytes, oldest)
	}
}

func TestClassKnown(t *testing.T) {
	for c, want := range map[Class]Class{-128: FirstClass, -3: -3, 0: 0, 4: 4, 5: LastClass, 127: LastClass} {
		if got := c.known(); got != want {
			t.Errorf("class %d is taken for %d, want %d", c, got, want)
		}
	}
}
