package policy

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// ejectedFor is how long the peer stays ejected from now on.
func ejectedFor(h *Health[string], now time.Duration, peer string) time.Duration {
	var d time.Duration
	for h.Ejected(now+d, peer) {
		d += time.Millisecond
	}
	return d
}

func TestHealthEjects(t *testing.T) {
	var h Health[string]
	if h.Ejected(0, "a") || h.Ejected(-time.Second, "a") {
		t.Error("ejected without a failure")
	}
	now := time.Minute
	for _, want := range []time.Duration{1, 2, 4, 8, 10, 10} {
		h.Failed(now, "a", 4)
		got := ejectedFor(&h, now, "a")
		if got != want*time.Second {
			t.Fatalf("ejected for %v, want %v s", got, int(want))
		}
		now += got
	}
	h.Answered("a")
	h.Failed(now, "a", 4)
	if got := ejectedFor(&h, now, "a"); got != time.Second {
		t.Errorf("after an answer ejected for %v, want 1 s", got)
	}
	if h.Answered("a"); h.Ejected(now, "a") {
		t.Error("an answer does not clear it")
	}
	h.Failed(now, "a", 4)
	if h.Gone("a"); h.Ejected(now, "a") {
		t.Error("a peer that left is still ejected")
	}
}

// TestHealthOneIncident: what was under way at a peer when it broke fails
// together, and counts once.
func TestHealthOneIncident(t *testing.T) {
	var h Health[string]
	for i := range 20 {
		h.Failed(time.Duration(i)*10*time.Millisecond, "a", 4)
	}
	if got := ejectedFor(&h, 0, "a"); got != time.Second {
		t.Errorf("20 failures at once eject for %v, want 1 s", got)
	}
}

func TestHealthForgets(t *testing.T) {
	var h Health[string]
	h.Failed(0, "a", 4)
	h.Failed(2*time.Second, "a", 4)
	h.Failed(4*time.Second+ejectMost, "a", 4)
	if got := ejectedFor(&h, 4*time.Second+ejectMost, "a"); got != time.Second {
		t.Errorf("long after its last failure ejected for %v, want 1 s", got)
	}
	for i := range 1000 { // nodes that come, fail and are never heard of again
		h.Failed(time.Duration(i)*time.Minute, string(rune('a'+i)), 4)
	}
	if n := len(h.failing); n > 1 {
		t.Errorf("%d peers are remembered, want the last", n)
	}
}

func TestHealthOfOnePeer(t *testing.T) {
	var h Health[string]
	h.Failed(0, "a", 1)
	h.Failed(0, "b", 1)
	if !h.Ejected(0, "a") || h.Ejected(0, "b") {
		t.Error("one peer: one may be ejected, and no other with it")
	}
}

// TestHealthHalf: however the peers fail, at most half are ejected, and one
// that fails while there is room is.
func TestHealthHalf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h Health[int]
		peers := rapid.IntRange(1, 9).Draw(t, "peers")
		ejected := func(now time.Duration) (n int) {
			for p := range peers {
				if h.Ejected(now, p) {
					n++
				}
			}
			return n
		}
		var now time.Duration
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			peer := rapid.IntRange(0, peers-1).Draw(t, "peer")
			before, was := ejected(now), h.Ejected(now, peer)
			switch rapid.IntRange(0, 7).Draw(t, "step") {
			case 0:
				h.Answered(peer)
				if h.Ejected(now, peer) {
					t.Fatal("ejected although it answers")
				}
			case 1:
				h.Gone(peer)
			case 2, 3:
				now += time.Duration(rapid.IntRange(0, 50).Draw(t, "pass")) * 100 * time.Millisecond
			default:
				h.Failed(now, peer, peers)
				if want := was || before < max(peers/2, 1); h.Ejected(now, peer) != want {
					t.Fatalf("with %d of %d ejected, ejected: %v", before, peers, !want)
				}
				if !h.Ejected(now, peer) {
					continue
				}
				if h.Ejected(now+ejectMost, peer) {
					t.Fatal("ejected for longer than the most")
				}
			}
			if n := ejected(now); n > max(peers/2, 1) {
				t.Fatalf("%d of %d are ejected", n, peers)
			}
		}
	})
}
