package policy

import (
	"fmt"
	"testing"
	"time"
)

// copied is a core in a mode with copies that has one place, taken, and has
// heard of n peers.
func copied(mode Mode, n int) *Core {
	c := NewCore(Config{Places: 1, Mode: mode, MessageCost: time.Nanosecond, Queue: 1 << 20, ShedAge: time.Hour,
		Copies: Copies{Most: 3, Share: 1, After: 50 * time.Millisecond}, Budget: Budget{Share: 5, Rate: 1e6, Burst: 1e9}})
	for i := range n {
		c.Hear(0, Peer(i+2), Report{Load: 1, Places: 1, Service: 38 * time.Millisecond})
	}
	c.Arrive(0, &Request{}, nil)
	return c
}

// together is all that an owner decides about one request that several peers
// have: sent to them, begun by one, a backup where it is due, answered by the
// last, the others told.
func together(now time.Duration, c *Core, r *Request, peers []Peer, out []Effect) []Effect {
	out = c.Arrive(now, r, out[:0])
	m := out[0].Message
	out = c.Sent(now, r, m, peers[:min(out[0].Most, len(peers))], out[:0])
	report := Report{Load: 1, Places: 1, Service: 38 * time.Millisecond}
	if c.cfg.Mode == Hedge {
		out = c.Receive(now, peers[0], Message{Kind: Claim, ID: m.ID, Epoch: m.Epoch, Report: report}, out[:0])
	}
	out = c.Receive(now, peers[0], Message{Kind: Started, ID: m.ID, Epoch: m.Epoch, Report: report}, out[:0])
	winner := peers[0]
	if r.backup != 0 {
		now, winner = r.backup, peers[4]
		if out = c.Tick(now, out[:0]); len(out) == 1 && out[0].Do == DoSubmit {
			out = c.Sent(now, r, out[0].Message, peers[4:], out[:0])
		}
	}
	out = c.Answered(now+time.Millisecond, r, winner, out[:0])
	if !r.over {
		panic("it is not over")
	}
	return out
}

// BenchmarkCopies is four decisions of the owner, with a backup seven.
func BenchmarkCopies(b *testing.B) {
	for _, mode := range []Mode{Race, Speculative, Hedge} {
		for _, n := range []int{8, 1000} {
			b.Run(fmt.Sprintf("%v/%d", mode, n), func(b *testing.B) {
				c, r, peers := copied(mode, n), &Request{Movable: true, Repeatable: true, Light: true}, []Peer{2, 3, 4, 5, 6}
				out, now := make([]Effect, 0, 16), time.Duration(0)
				decisions := 4.
				if mode == Hedge {
					decisions = 7
				}
				b.ReportAllocs()
				for b.Loop() {
					now += time.Second
					out = together(now, c, r, peers, out)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/decisions, "ns/decision")
			})
		}
	}
}

// TestCopiesAllocateNothing: neither do decisions about copies.
func TestCopiesAllocateNothing(t *testing.T) {
	for _, mode := range []Mode{Race, Speculative, Hedge} {
		c, r, peers := copied(mode, 1000), &Request{Movable: true, Repeatable: true, Light: true}, []Peer{2, 3, 4, 5, 6}
		out, now := make([]Effect, 0, 16), time.Duration(0)
		once := func() {
			now += time.Second
			out = together(now, c, r, peers, out)
		}
		for range 200 {
			once()
		}
		if n := testing.AllocsPerRun(1000, once); n != 0 {
			t.Errorf("%v allocates %v times for a request", mode, n)
		}
		if got := c.Counts(); got.Copied < 1000 || mode == Hedge && got.Hedged < 1000 {
			t.Errorf("%v: %+v", mode, got)
		}
	}
}
