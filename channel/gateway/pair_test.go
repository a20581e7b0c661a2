package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
	"kecho/channel/channeltest"
	"kecho/channel/gateway"
)

// once fails when a body came twice, and returns how many came.
func once(t *testing.T, r *channeltest.Recorder) int {
	t.Helper()
	seen := make(map[string]bool)
	for _, body := range r.Bodies() {
		if seen[body] {
			t.Errorf("%s came twice", body)
		}
		seen[body] = true
	}
	return len(seen)
}

func TestTwoGatewaysShareTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		g, h := w.connect("a", "b"), w.connect("a", "b")
		a := w.clusters["a"]
		var sources []*channel.Channel
		for range 14 {
			sources = append(sources, w.join(t.Context(), a))
		}
		got := channeltest.Record(t, w.clusters["b"].news[0], channel.Match{Type: "x"})
		channeltest.Record(t, a.news[0], channel.Match{Type: "x"})
		settle()
		n := 0
		for range 10 {
			for _, c := range sources {
				submit(t, c, "x", fmt.Sprint(n))
				n++
			}
		}
		synctest.Wait()
		if have := once(t, got); have != n {
			t.Errorf("%d of %d came", have, n)
		}
		gs, hs := total(g), total(h)
		if gs.Forwarded == 0 || hs.Forwarded == 0 || gs.Forwarded+hs.Forwarded != uint64(n) {
			t.Errorf("of %d events one forwarded %d, the other %d", n, gs.Forwarded, hs.Forwarded)
		}
		if s := w.clusters["b"].news[0].Stats(); s.Repeated != 0 {
			t.Errorf("%d came twice", s.Repeated)
		}
		for _, gate := range []running{g, h} { // they want it for a, where it comes from
			if s := gate.news[1].Stats(); s.Received != 0 {
				t.Errorf("a gateway was sent %d events that have been beyond it", s.Received)
			}
		}
	})
}

func TestAGatewayTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		gs := []running{w.connect("a", "b"), w.connect("a", "b")}
		source := w.clusters["a"].news[0]
		got := channeltest.Record(t, w.clusters["b"].news[0], channel.Match{})
		settle()
		submit(t, source, "x", "first")
		synctest.Wait()
		first := 0
		if total(gs[1]).Forwarded > 0 {
			first = 1
		}
		gs[first].end()
		settle()
		submit(t, source, "x", "second")
		expect(t, "b", got, "first", "second")
		again := w.connect("a", "b")
		settle()
		submit(t, source, "x", "third")
		expect(t, "b", got, "first", "second", "third")
		if s := total(gs[1-first], again); s.Forwarded != 2 {
			t.Errorf("the two that are left count %+v", s)
		}
	})
}

func TestTwoGatewaysThatDoNotSeeEachOtherDeliverOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		g, h := w.connect("a", "b"), w.connect("a", "b")
		a, b := w.clusters["a"], w.clusters["b"]
		got := channeltest.Record(t, b.news[0], channel.Match{})
		a.hub.Down(g.news[0].Node(), h.news[0].Node())
		settle()
		for i := range 100 {
			p := channel.Priority(i%3 - 1)
			if _, err := a.news[0].Submit(t.Context(), channel.Event{Type: "x", Priority: p, Body: fmt.Append(nil, i)}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if n := once(t, got); n != 100 {
			t.Errorf("%d of 100 came", n)
		}
		if s := b.news[0].Stats(); s.Repeated != 100 {
			t.Errorf("%d repeated, want 100: each gateway has sent each", s.Repeated)
		}
		// And a gateway that reaches nobody who wants the event leaves it to the
		// other.
		a.hub.Up(g.news[0].Node(), h.news[0].Node())
		for _, cut := range []running{g, h} {
			b.hub.Down(cut.news[1].Node(), b.nodes[0].ID())
			settle()
			submit(t, a.news[0], "x", fmt.Sprint("without ", cut.news[1].Node()))
			b.hub.Up(cut.news[1].Node(), b.nodes[0].ID())
			settle()
		}
		if n := once(t, got); n != 102 {
			t.Errorf("%d of 102 came", n)
		}
	})
}

func TestSharesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		w.connect("a", "b", func(_ *gateway.Config, s *gateway.Share) {
			s.Direction, s.Types = gateway.Out, []channel.Type{"x", "y"}
		})
		a, b := w.clusters["a"], w.clusters["b"]
		inA := channeltest.Record(t, a.news[0], channel.Match{})
		inB := channeltest.Record(t, b.news[0], channel.Match{})
		settle()
		for _, typ := range []channel.Type{"x", "y", "z"} {
			submit(t, a.news[1], typ, "from a: "+string(typ))
			synctest.Wait()
			submit(t, b.news[1], typ, "from b: "+string(typ))
			synctest.Wait()
		}
		expect(t, "a", inA, "from a: x", "from a: y", "from a: z")
		expect(t, "b", inB, "from a: x", "from b: x", "from a: y", "from b: y", "from b: z")
	})
}

func TestAFarClusterThatReadsNothingHoldsUpBulkOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		g := w.connect("a", "b")
		a, b := w.clusters["a"], w.clusters["b"]
		blocked := make(chan struct{})
		var urgent []string
		sub, err := b.news[0].SubscribeInline(channel.Match{}, func(e *channel.Event) {
			if e.Priority == channel.Bulk {
				<-blocked
				return
			}
			urgent = append(urgent, string(e.Body))
		})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		settle()
		n := 0
		for range 3 { // until the links are full, and then the queue is
			for range gateway.MaxQueue {
				n++
				if _, err := a.news[0].Submit(t.Context(), channel.Event{Type: "x", Priority: channel.Bulk, Body: fmt.Append(nil, n)}); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
		}
		s := g.Stats()[0]
		if s.Queued != gateway.MaxQueue || s.Overrun == 0 {
			t.Errorf("%d events wait and %d found no room, want %d and some", s.Queued, s.Overrun, gateway.MaxQueue)
		}
		time.Sleep(2 * gateway.BulkWait)
		if s := g.Stats()[0]; s.Unsent < 1 {
			t.Errorf("%d bulk events were given up, want some", s.Unsent)
		}
		close(blocked)
		synctest.Wait()
		submit(t, a.news[0], "x", "after")
		synctest.Wait()
		if !slices.Equal(urgent, []string{"after"}) {
			t.Errorf("what is not bulk: %q", urgent)
		}
		if s := g.Stats()[0]; s.Queued != 0 || s.Forwarded+s.Overrun+s.Unsent != uint64(n)+1 {
			t.Errorf("of %d events: %+v", n+1, s)
		}
	})
}

func TestConfigErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _ := channeltest.Nodes(t, 1)
		c := channeltest.Open(t, "news", nodes...)[0]
		good := gateway.Config{Clusters: [2]string{"a", "b"}, Shares: []gateway.Share{{Channels: [2]*channel.Channel{c, c}}}}
		for want, change := range map[string]func(*gateway.Config){
			"both clusters are called": func(c *gateway.Config) { c.Clusters[1] = "a" },
			"want a name":              func(c *gateway.Config) { c.Clusters[0] = "" },
			"hops":                     func(c *gateway.Config) { c.Hops = gateway.MaxHops + 1 },
			"in both clusters":         func(c *gateway.Config) { c.Shares = []gateway.Share{{}} },
			"types": func(c *gateway.Config) {
				c.Shares = []gateway.Share{{Channels: c.Shares[0].Channels, Types: make([]channel.Type, gateway.MaxTypes+1)}}
			},
		} {
			cfg := good
			change(&cfg)
			if _, err := gateway.New(cfg); err == nil {
				t.Errorf("taken, want an error with %q", want)
			} else if !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q in it", err, want)
			}
		}
		e := &channel.Event{ID: channel.ID{Source: 9, Seq: 1}, Type: "x"}
		if err := c.Forward(context.Background(), e); err == nil || errors.Is(err, channel.ErrNoSink) {
			t.Errorf("an event without a path: %v", err)
		}
	})
}
