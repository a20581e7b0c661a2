package policy

import (
	"maps"
	"math/rand/v2"
	"testing"
)

// TestPeerIndex: whatever is put in, moved and taken out, it is as a map.
func TestPeerIndex(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, names := range []uint64{5, 40, 3000} {
		var x peerIndex
		like := map[Peer]int{}
		for range 20_000 {
			p := Peer(1 + r.Uint64N(names) + r.Uint64N(2)<<32)
			if r.IntN(5) < 2 {
				x.remove(p)
				delete(like, p)
			} else {
				at := r.IntN(1 << 20)
				x.set(p, at)
				like[p] = at
			}
			q := Peer(1 + r.Uint64N(names))
			got, ok := x.get(q)
			if want, known := like[q]; ok != known || got != want {
				t.Fatalf("peer %d is at %d, %v; want %d, %v", q, got, ok, want, known)
			}
		}
		for p, want := range maps.All(like) {
			if got, ok := x.get(p); !ok || got != want {
				t.Errorf("peer %d is at %d, %v; want %d", p, got, ok, want)
			}
		}
		if x.used != len(like) || 2*x.used > len(x.slots) {
			t.Errorf("%d used of %d for %d peers", x.used, len(x.slots), len(like))
		}
	}
}
