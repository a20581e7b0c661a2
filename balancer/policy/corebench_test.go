package policy

import (
	"fmt"
	"testing"
	"time"
)

// met is a core that has one place, taken, and has heard of n peers.
func met(n int) *Core {
	c := NewCore(Config{Places: 1, Mode: Pull, MessageCost: time.Nanosecond, Queue: 1 << 20, ShedAge: time.Hour})
	for i := range n {
		c.Hear(0, Peer(i+2), Report{Load: 1, Places: 1, Service: 38 * time.Millisecond})
	}
	c.Arrive(0, &Request{Movable: true}, nil)
	return c
}

// exchange is all that an owner decides about one request that a peer serves:
// offered to four, claimed, granted, the others told, started, answered.
func exchange(now time.Duration, c *Core, r *Request, peers []Peer, out []Effect) []Effect {
	out = c.Arrive(now, r, out[:0])
	m := out[0].Message
	out = c.Sent(now, r, m, peers, out[:0])
	report := Report{Load: 1, Places: 1, Service: 38 * time.Millisecond}
	out = c.Receive(now, peers[0], Message{Kind: Claim, ID: m.ID, Epoch: m.Epoch, Report: report}, out[:0])
	out = c.Receive(now, peers[0], Message{Kind: Started, ID: m.ID, Epoch: m.Epoch, Report: report}, out[:0])
	return c.Answered(now, r, peers[0], out[:0])
}

// visit is all that a peer decides about one request of an owner.
func visit(now time.Duration, c *Core, id uint64, out []Effect) []Effect {
	report := Report{Load: 1, Places: 1, Service: 38 * time.Millisecond}
	out = c.Receive(now, 2, Message{Kind: Offer, ID: id, Left: 5 * time.Second, Report: report}, out[:0])
	out = c.Receive(now, 2, Message{Kind: Grant, ID: id, Left: 5 * time.Second, Report: report}, out[:0])
	return c.Finish(now, out[len(out)-1].Request, 38*time.Millisecond, Served, out[:0])
}

// BenchmarkCore is a whole exchange: five decisions of the owner, or three of
// the peer.
func BenchmarkCore(b *testing.B) {
	for _, n := range []int{8, 1000} {
		b.Run(fmt.Sprintf("owner/%d", n), func(b *testing.B) {
			c, r, peers := met(n), &Request{Movable: true}, []Peer{2, 3, 4, 5}
			out, now := make([]Effect, 0, 16), time.Duration(0)
			b.ReportAllocs()
			for b.Loop() {
				now += time.Millisecond
				out = exchange(now, c, r, peers, out)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/5, "ns/decision")
		})
		b.Run(fmt.Sprintf("peer/%d", n), func(b *testing.B) {
			c := NewCore(Config{Places: 1, Mode: Pull})
			out, now, id := make([]Effect, 0, 16), time.Duration(0), uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				now += time.Millisecond
				id++
				out = visit(now, c, id, out)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/3, "ns/decision")
		})
	}
}

// TestCoreAllocatesNothing: a decision costs no garbage once the tables have
// grown.
func TestCoreAllocatesNothing(t *testing.T) {
	c, r, peers := met(1000), &Request{Movable: true}, []Peer{2, 3, 4, 5}
	out, now, id := make([]Effect, 0, 16), time.Duration(0), uint64(0)
	if n := testing.AllocsPerRun(1000, func() {
		now += time.Millisecond
		out = exchange(now, c, r, peers, out)
	}); n != 0 {
		t.Errorf("an owner allocates %v times for a request", n)
	}
	p := NewCore(Config{Places: 1, Mode: Pull})
	once := func() {
		now += time.Millisecond
		id++
		out = visit(now, p, id, out)
	}
	for range 3 * maxMemory { // until the memory goes round
		once()
	}
	if n := testing.AllocsPerRun(1000, once); n != 0 {
		t.Errorf("a peer allocates %v times for a request", n)
	}
}
