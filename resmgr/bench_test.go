package resmgr

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"kecho/channel"
)

// busy is a manager with n leases, each of another holder.
func busy(b testing.TB, n int) *Granter {
	g, err := NewGranter(GranterConfig{Name: "web1", Capacity: Amounts{{CPU, 1000 * 1000}, {Mem, 1 << 40}}, Settle: -1}, 0, Recovered{})
	if err != nil {
		b.Fatal(err)
	}
	var out []Effect
	for i := range n {
		out = grantOne(g, 0, i, out[:0])
	}
	return g
}

// grantOne has a manager grant one lease and write it.
func grantOne(g *Granter, now time.Duration, i int, out []Effect) []Effect {
	ask := channel.ID{Source: 7, Seq: uint64(i + 1)}
	m := Message{Kind: MsgRequest, Ask: ask, ID: fmt.Sprint("request-", i), Holder: fmt.Sprint("holder-", i), TTL: time.Hour,
		Needs: Amounts{{CPU, 10}, {Mem, 1 << 20}}}
	out = g.Receive(now, 7, &m, out)
	out = g.Receive(now, 7, &Message{Kind: MsgAccept, Ask: ask}, out)
	return g.Written(now, g.seq, nil, out)
}

// BenchmarkGranter is what one message costs beside 10,000 leases.
func BenchmarkGranter(b *testing.B) {
	b.Run("lease", func(b *testing.B) { // request, accept, written, release, written
		g := busy(b, 10_000)
		b.ReportAllocs()
		var out []Effect
		i, now := 10_000, time.Duration(0)
		for b.Loop() {
			now += time.Millisecond
			out = grantOne(g, now, i, out[:0])
			out = g.Receive(now, 7, &Message{Kind: MsgRelease, Fence: g.fence, Holder: fmt.Sprint("holder-", i)}, out)
			out = g.Written(now, g.seq, nil, out)
			i++
		}
	})
	b.Run("renew", func(b *testing.B) {
		g := busy(b, 10_000)
		m := Message{Kind: MsgRenew, Fence: 77, Holder: "holder-76"}
		b.ReportAllocs()
		var out []Effect
		for b.Loop() {
			out = g.Receive(time.Second, 7, &m, out[:0])
		}
		if out[0].Message.Kind != MsgRenewed {
			b.Fatal(out[0].Message.word())
		}
	})
	b.Run("refuse", func(b *testing.B) {
		g := busy(b, 10_000)
		m := Message{Kind: MsgRequest, Ask: channel.ID{Source: 1, Seq: 1}, Holder: "h", TTL: time.Minute, Needs: Amounts{{CPU, 1000 * 1000}}}
		b.ReportAllocs()
		var out []Effect
		for b.Loop() {
			out = g.Receive(time.Second, 7, &m, out[:0])
		}
	})
}

// BenchmarkLeaseMemory is what a lease takes of a manager's memory.
func BenchmarkLeaseMemory(b *testing.B) {
	const n = 10_000
	var before, after runtime.MemStats
	var bytes uint64
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		g := busy(b, n)
		runtime.GC()
		runtime.ReadMemStats(&after)
		bytes = after.HeapAlloc - before.HeapAlloc
		runtime.KeepAlive(g)
	}
	b.ReportMetric(float64(bytes)/n, "B/lease")
}

// BenchmarkMessage is what a message costs on its way.
func BenchmarkMessage(b *testing.B) {
	m := Message{Kind: MsgGrant, Manager: "web1", Ask: channel.ID{Source: 7, Seq: 9}, ID: "request-1", Holder: "holder-1",
		Needs: Amounts{{CPU, 10}, {Mem, 1 << 20}}, TTL: time.Minute, Wait: time.Minute, Fence: 12, Managers: 1}
	b.ReportAllocs()
	for b.Loop() {
		body, err := channel.Pack(m)
		if err != nil {
			b.Fatal(err)
		}
		var got Message
		if err := channel.Unpack(body, &got); err != nil || got.check() != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAsker is a request at 16 managers, from asking to the grant.
func BenchmarkAsker(b *testing.B) {
	const n = 16
	var seq uint64
	s := NewAsker(AskerConfig{NextID: func() channel.ID {
		seq++
		return channel.ID{Source: 1, Seq: seq}
	}})
	nodes, names := make([]channel.NodeID, n), make([]string, n)
	for i := range nodes {
		nodes[i], names[i] = channel.NodeID(i+2), fmt.Sprint("web", i)
	}
	needs := Amounts{{CPU, 1000}}
	now := time.Duration(0)
	var out []Effect
	b.ReportAllocs()
	for b.Loop() {
		now += time.Millisecond
		a, _, effects, err := s.Open(now, Request{Holder: "h", Needs: needs, Criteria: Spread, TTL: time.Second}, false, out[:0])
		if err != nil {
			b.Fatal(err)
		}
		out = s.Asked(now, a, nodes, false, effects)
		for i, node := range nodes {
			out = s.Receive(now, node, 0, &Message{Kind: MsgOffer, Manager: names[i], Ask: a.ask, Wait: HoldTime,
				Free: Amounts{{CPU, Quantity(1000 + i)}}, Capacity: Amounts{{CPU, 4000}}, Managers: 1}, out)
		}
		out = s.Receive(now, nodes[n-1], 0, &Message{Kind: MsgGrant, Manager: names[n-1], Ask: a.ask, ID: a.ID, Holder: "h",
			Needs: needs, TTL: time.Second, Wait: time.Second, Fence: Fence(seq)}, out)
		if !a.Over() || a.Err != nil {
			b.Fatal(a.Err)
		}
	}
}
