package gateway_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
	"kecho/channel/channeltest"
	"kecho/channel/gateway"
)

// cluster is nodes on one hub, with the channel "news" open.
type cluster struct {
	name  string
	hub   *channeltest.Hub
	nodes []*channel.Node
	news  []*channel.Channel
}

// world is clusters and the gateways between them; all end with the test.
type world struct {
	t        testing.TB
	clusters map[string]*cluster
	ids      channel.NodeID
}

func newWorld(t testing.TB, names ...string) *world {
	w := &world{t: t, clusters: make(map[string]*cluster)}
	for _, name := range names {
		c := &cluster{name: name, hub: channeltest.NewHub()}
		w.clusters[name] = c
		for range 2 {
			w.join(t.Context(), c)
		}
	}
	return w
}

// join is one more node of c, until ctx ends.
func (w *world) join(ctx context.Context, c *cluster) *channel.Channel {
	w.t.Helper()
	w.ids++
	n, err := channel.New(channel.Config{ID: w.ids, Links: c.hub.Links(w.ids)})
	if err != nil {
		w.t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { n.Run(ctx) })
	w.t.Cleanup(wg.Wait)
	news, err := n.Open("news")
	if err != nil {
		w.t.Fatal(err)
	}
	c.nodes, c.news = append(c.nodes, n), append(c.news, news)
	return news
}

// running is one gateway that a test can end.
type running struct {
	*gateway.Gateway
	news [2]*channel.Channel
	end  func()
}

// connect starts a gateway between two clusters.
func (w *world) connect(a, b string, change ...func(*gateway.Config, *gateway.Share)) running {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	share := gateway.Share{Channels: [2]*channel.Channel{w.join(ctx, w.clusters[a]), w.join(ctx, w.clusters[b])}}
	cfg := gateway.Config{Clusters: [2]string{a, b}}
	for _, f := range change {
		f(&cfg, &share)
	}
	cfg.Shares = []gateway.Share{share}
	g, err := gateway.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { g.Run(ctx) })
	w.t.Cleanup(wg.Wait)
	return running{g, share.Channels, func() { cancel(); wg.Wait() }}
}

// settle waits until everybody knows what everybody wants.
func settle() { time.Sleep(3 * time.Second) }

func submit(t *testing.T, c *channel.Channel, typ channel.Type, body string) channel.ID {
	t.Helper()
	id, err := c.Submit(t.Context(), channel.Event{Type: typ, Body: []byte(body)})
	if err != nil {
		t.Fatalf("submit %s: %v", body, err)
	}
	return id
}

func expect(t *testing.T, what string, r *channeltest.Recorder, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := r.Bodies(); !slices.Equal(got, want) {
		t.Errorf("%s got %q, want %q", what, got, want)
	}
}

func total(gs ...running) (sum gateway.FlowStats) {
	for _, g := range gs {
		for _, s := range g.Stats() {
			sum.Forwarded += s.Forwarded
			sum.Returned += s.Returned
			sum.Looped += s.Looped
			sum.Far += s.Far
			sum.Left += s.Left
			sum.Unwanted += s.Unwanted
			sum.Answers += s.Answers
		}
	}
	return sum
}

func TestAnEventReachesWhoWantsItInTheOtherCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		g := w.connect("a", "b")
		a, b := w.clusters["a"], w.clusters["b"]
		got := channeltest.Record(t, b.news[1], channel.Match{Type: "price"})
		settle()
		const load channel.Key[float64] = "load"
		const place channel.Key[string] = "place"
		if err := a.nodes[0].Describe(load.Of(0.5)); err != nil {
			t.Fatal(err)
		}
		id, err := a.news[0].Submit(t.Context(), channel.Event{
			Type: "price", Priority: channel.Urgent, Deadline: time.Now().Add(time.Minute), Attrs: channel.Attrs{place.Of("x")}, Body: []byte("1"),
		})
		if err != nil {
			t.Fatal(err)
		}
		submit(t, a.news[0], "other", "2")
		expect(t, "who subscribed", got, "1")
		e := got.Events()[0]
		l, _ := load.In(e.From)
		p, _ := place.In(e.Attrs)
		if e.ID != id || e.Priority != channel.Urgent || l != 0.5 || p != "x" || time.Until(e.Deadline) > time.Minute || time.Until(e.Deadline) < 59*time.Second {
			t.Errorf("it arrived as %+v", e)
		}
		if !slices.Equal(e.Path, []string{"a"}) {
			t.Errorf("its path is %q, want a", e.Path)
		}
		if s := b.news[0].Stats(); s.Received != 0 {
			t.Errorf("a node that wants nothing received %d", s.Received)
		}
		if s := total(g); s.Forwarded != 1 || s.Looped+s.Unwanted+s.Returned != 0 {
			t.Errorf("the gateway counts %+v", s)
		}
	})
}

func TestTheInterestIsKeptUpToDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		g := w.connect("a", "b")
		a, b := w.clusters["a"], w.clusters["b"]
		wanted := func(want ...channel.Interest) {
			t.Helper()
			settle()
			got := g.Stats()[0].Wanted
			if !slices.EqualFunc(got, want, func(a, b channel.Interest) bool {
				return slices.Equal(a.Path, b.Path) && slices.Equal(a.Terms, b.Terms)
			}) {
				t.Errorf("wanted in b is %v, want %v", got, want)
			}
			sinks := 0
			for range a.news[0].Sinks() {
				sinks++
			}
			if have := sinks == 2; have != (len(want) > 0) { // the other node is always one
				t.Errorf("the gateway is a sink: %v, and wanted is %v", have, want)
			}
		}
		in := func(terms ...channel.Match) channel.Interest {
			return channel.Interest{Path: []string{"b"}, Terms: terms}
		}
		subscribe := func(i int, m channel.Match) *channel.Subscription {
			s, err := b.news[i].SubscribeInline(m, func(*channel.Event) {})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		wanted()
		x := subscribe(0, channel.Match{Type: "x"})
		wanted(in(channel.Match{Type: "x"}))
		y := subscribe(1, channel.Match{Type: "y", Source: a.nodes[0].ID()})
		wanted(in(channel.Match{Type: "x"}, channel.Match{Type: "y", Source: a.nodes[0].ID()}))
		x.Suspend()
		wanted(in(channel.Match{Type: "y", Source: a.nodes[0].ID()}))
		x.Resume()
		all := subscribe(1, channel.Match{})
		wanted(in(channel.Match{}))
		all.Close()
		y.Close()
		wanted(in(channel.Match{Type: "x"}))
		x.Close()
		wanted()
		for i := range channel.MaxInterestTerms + 1 {
			subscribe(0, channel.Match{Type: channel.Type(fmt.Sprint(i))})
		}
		wanted(in(channel.Match{}))
		b.news[0].Close()
		wanted()
	})
}

func TestALineOfClusters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b", "c", "d")
		short := func(cfg *gateway.Config, _ *gateway.Share) { cfg.Hops = 2 }
		gs := []running{w.connect("a", "b", short), w.connect("b", "c", short), w.connect("c", "d", short)}
		inC := channeltest.Record(t, w.clusters["c"].news[0], channel.Match{})
		inD := channeltest.Record(t, w.clusters["d"].news[0], channel.Match{})
		settle()
		submit(t, w.clusters["a"].news[0], "x", "from a")
		synctest.Wait()
		submit(t, w.clusters["b"].news[0], "x", "from b")
		expect(t, "c", inC, "from a", "from b")
		expect(t, "d", inD, "from b")
		if got := inC.Events()[0].Path; !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("the path is %q", got)
		}
		if s := total(gs...); s.Returned+s.Looped+s.Unwanted != 0 || s.Far != 1 {
			t.Errorf("the gateways count %+v, want one that came too far", s)
		}
		for _, s := range gs[0].Stats() {
			for _, in := range s.Wanted {
				if len(in.Path) > 2 {
					t.Errorf("from %s is told what is wanted at the end of %q, farther than events go", s.From, in.Path)
				}
			}
		}
	})
}

func TestARingDeliversOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b", "c")
		gs := []running{w.connect("a", "b"), w.connect("b", "c"), w.connect("c", "a")}
		var got []*channeltest.Recorder
		for _, name := range []string{"a", "b", "c"} {
			got = append(got, channeltest.Record(t, w.clusters[name].news[1], channel.Match{}))
		}
		settle()
		var want []string
		for i := range 100 {
			want = append(want, fmt.Sprint(i))
			submit(t, w.clusters["a"].news[0], "x", want[i])
		}
		synctest.Wait()
		for i, r := range got {
			expect(t, fmt.Sprintf("cluster %d", i), r, want...)
		}
		if s := total(gs...); s.Forwarded != 200 || s.Looped+s.Returned != 0 {
			t.Errorf("the gateways count %+v, want 200 forwarded: each event once to each cluster", s)
		}
		for _, name := range []string{"a", "b", "c"} {
			if s := w.clusters[name].news[1].Stats(); s.Repeated+s.Returned != 0 {
				t.Errorf("to a node of %s came %d twice and %d back", name, s.Repeated, s.Returned)
			}
		}
	})
}

func TestInterestDoesNotKeepItselfAliveInARing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b", "c", "d")
		gs := []running{w.connect("a", "b"), w.connect("b", "c"), w.connect("c", "a"), w.connect("a", "d")}
		sub, err := w.clusters["d"].news[0].SubscribeInline(channel.Match{Type: "x"}, func(*channel.Event) {})
		if err != nil {
			t.Fatal(err)
		}
		settle()
		flows := 0
		for _, g := range gs {
			for _, s := range g.Stats() {
				flows += min(1, len(s.Wanted))
			}
		}
		if flows != 5 { // a to d, and to a from b, c; b to c and c to b as the way round
			t.Errorf("%d flows want it, want 5", flows)
		}
		sub.Close()
		settle()
		for _, g := range gs {
			for _, s := range g.Stats() {
				if len(s.Wanted) > 0 {
					t.Errorf("from %s to %s is wanted %v, and nobody wants anything", s.From, s.To, s.Wanted)
				}
			}
		}
	})
}

func TestTheWayRoundARing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b", "c")
		direct := w.connect("a", "b")
		w.connect("b", "c")
		w.connect("c", "a")
		got := channeltest.Record(t, w.clusters["b"].news[0], channel.Match{})
		settle()
		submit(t, w.clusters["a"].news[0], "x", "direct")
		synctest.Wait()
		direct.end()
		settle()
		submit(t, w.clusters["a"].news[0], "x", "round")
		expect(t, "b", got, "direct", "round")
		if path := got.Events()[1].Path; !slices.Equal(path, []string{"a", "c"}) {
			t.Errorf("the path is %q, want a, c", path)
		}
	})
}
