package balancer

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
	"kecho/channel/channeltest"
	"kecho/filters"
)

func TestNewChecks(t *testing.T) {
	for _, cfg := range []Config{
		{Name: "n", Upstream: "http://web"},
		{Upstream: "http://web", Policy: defaults()},
		{Name: "n", Upstream: "web:80", Policy: defaults()},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v was accepted", cfg)
		}
	}
}

// TestBeforeRun: no peer is asked before there are filters that say which.
func TestBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, nil)
		p := c.raw()
		c.settle()
		m := c.node()
		data, err := m.node.Open("data")
		if err != nil {
			t.Fatal(err)
		}
		m.web = newWebServer(t, "new")
		m.Balancer, err = New(Config{Name: "new", Upstream: "http://web", Dial: m.web.dial, Data: data, Policy: defaults()})
		if err != nil {
			t.Fatal(err)
		}
		defer m.upstream.client.CloseIdle()
		synctest.Wait() // until there are sinks

		for _, res := range m.many(4, "/?ms=10") { // as many as the hard limit lets in
			if res.Code != 200 || res.by() != "new" {
				t.Errorf("%d by %q", res.Code, res.by())
			}
		}
		if n := len(p.events.Events()); n != 0 {
			t.Errorf("%d events went to peers", n)
		}
	})
}

// TestRunFails: Run that cannot begin leaves nothing running.
func TestRunFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _ := channeltest.Nodes(t, 1)
		data := channeltest.Open(t, "data", nodes...)[0]
		data.Close()
		b, err := New(Config{Name: "n", Upstream: "http://web", Data: data, Policy: defaults()})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Run(t.Context()); !errors.Is(err, channel.ErrClosed) {
			t.Errorf("%v, want ErrClosed", err)
		}
	})
}

// TestAlone: without a channel there are no peers, and all else works.
func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, func(_ int, cfg *Config) { cfg.Data = nil })
		for _, res := range c.members[0].many(10, "/?ms=10") {
			if res.Code != 200 {
				t.Errorf("%d", res.Code)
			}
		}
		c.idle()
	})
}

// TestStopOwner: when Run ends, requests that are with peers end at once, those
// whose answers have begun break off, and the peers are told by the link.
func TestStopOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 3, tight)
		waiting := start(func() *outcome { return m.get("/?ms=5000") })
		synctest.Wait()
		reading := start(func() *outcome { return m.get("/?ms=5000&head") })
		synctest.Wait()
		m.stop()
		if res := <-waiting; res.Code != 503 || res.took != 0 {
			t.Errorf("%d after %v, want 503 at once", res.Code, res.took)
		}
		if res := <-reading; !res.aborted {
			t.Error("an answer that had begun ended as if it were whole")
		}
		<-m.done
		c.cut(m)
		synctest.Wait()
		for _, peer := range c.members[1:] {
			if s := peer.Stats(); s.Wasted != 1 {
				t.Errorf("%s: %+v", peer.cfg.Name, s)
			}
		}
		if res := m.get("/after"); res.Code != 504 {
			t.Errorf("after the end, with no place here: %d, want 504", res.Code)
		}
		end()
	})
}

// TestStopPeer: when a peer's Run ends, what it served is told at once that it
// is lost, and is begun elsewhere if that may be.
func TestStopPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 3, tight)
		res := start(func() *outcome { return m.get("/?ms=1000") })
		time.Sleep(100 * time.Millisecond)
		first, second := c.members[1], c.members[2]
		if first.Stats().Exchanges == 0 {
			first, second = second, first
		}
		first.stop()
		<-first.done
		if got := <-res; got.Code != 200 || got.by() != second.web.name || got.took != 1100*time.Millisecond {
			t.Errorf("%d by %s after %v, want it begun again at %s after 100 ms", got.Code, got.by(), got.took, second.web.name)
		}
		end()
	})
}

// TestStopWithGuests: what waits at a peer whose Run ends goes home as not
// begun, and so may be begun elsewhere, whatever it is.
func TestStopWithGuests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, tight)
		p, m := c.raw(), c.members[0]
		busy := start(func() *outcome { return m.get("/?ms=1000") })
		synctest.Wait()
		p.request(requestHead{Method: "POST", Target: "/", Host: "web", Fin: true, Window: maxWindow, MaxWait: 60e6})
		if got := kinds(p.events.Events()); !slices.Equal(got, []channel.Type{typeQueued}) {
			t.Fatalf("it was told %v, want queued", got)
		}
		m.stop()
		<-m.done
		synctest.Wait()
		if got := kinds(p.events.Events()); !slices.Equal(got, []channel.Type{typeQueued, typeBusy}) {
			t.Errorf("it was told %v, want queued and then busy", got)
		}
		<-busy
		if n := m.Stats().Exchanges; n != 0 {
			t.Errorf("%d exchanges are left", n)
		}
	})
}

func kinds(events []*channel.Event) (types []channel.Type) {
	for _, e := range events {
		types = append(types, e.Type)
	}
	return types
}

// TestDrain: a node that drains finishes what it has, serves its own clients,
// tells the peers, and takes nothing of theirs.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 2, func(i int, cfg *Config) {
			if tight(i, cfg); i == 1 {
				cfg.Policy.Places, cfg.Policy.Hard = 4, 4
			}
		})
		peer := c.members[1]
		moved := start(func() *outcome { return m.get("/?ms=1000") })
		time.Sleep(100 * time.Millisecond)
		peer.Drain()
		refused := start(func() *outcome { return m.get("/") })
		synctest.Wait()
		if s := peer.Stats(); s.Claims != 1 || !s.State.Draining {
			t.Errorf("counted %+v", s)
		}
		c.settle()
		offers := m.Stats().Offers
		late := start(func() *outcome { return m.get("/") })
		time.Sleep(700 * time.Millisecond)
		if s := m.Stats(); s.Offers != offers {
			t.Errorf("offered %d requests more after it said that it drains", s.Offers-offers)
		}
		if s := peer.Stats(); s.Claims != 1 {
			t.Errorf("it claimed %d more", s.Claims-1)
		}
		if got := <-moved; got.Code != 200 || got.by() != "n2" {
			t.Errorf("what it had when the drain began: %d by %s", got.Code, got.by())
		}
		if own := peer.get("/own"); own.Code != 200 || own.by() != "n2" {
			t.Errorf("its own client: %d by %s", own.Code, own.by())
		}
		for _, res := range []*outcome{<-refused, <-late} {
			if res.Code == 200 && res.by() != "n1" {
				t.Errorf("%d by %s", res.Code, res.by())
			}
		}
		end()
	})
}

func TestDescribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, nil)
		m := c.members[0]
		local := m.fill(3, 100)
		attrs := m.Describe(nil)
		load, _ := filters.LoadIn(attrs)
		places, _ := filters.CapacityIn(attrs)
		if draining, _ := filters.Draining.In(attrs); load != 1.5 || places != 2 || draining {
			t.Errorf("3 on 2 places: %v", attrs)
		}
		m.Drain()
		if draining, _ := filters.Draining.In(m.Describe(nil)); !draining {
			t.Error("it does not say that it drains")
		}
		await(local)
		m.web.down.Store(true)
		m.upstream.client.CloseIdle()
		m.get("/")
		if places, _ := filters.CapacityIn(m.Describe(nil)); places != 0 {
			t.Errorf("it claims %d places without a web server", places)
		}
		c.idle()
	})
}

// TestObserve: each request is seen once, by its way, its status and its time.
func TestObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := make(chan string, 100)
		c, m, end := hot(t, 2, func(i int, cfg *Config) {
			tight(i, cfg)
			name := cfg.Name
			cfg.Observe = func(route Route, status int, took time.Duration) {
				seen <- fmt.Sprint(name, " ", route, " ", status, " ", took)
			}
		})
		m.get("/?ms=10")
		r := request("GET", "/", "")
		r.RequestURI = "/#"
		m.do(r)
		synctest.Wait()
		want := map[string]bool{"n1 forwarded 200 10ms": true, "n2 received 200 10ms": true, "n1 rejected 400 0s": true}
		for len(seen) > 0 {
			got := <-seen
			if !want[got] {
				t.Errorf("seen: %s", got)
			}
			delete(want, got)
		}
		if len(want) > 0 {
			t.Errorf("not seen: %v", want)
		}
		c.members[1].web.set(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		m.do(request("POST", "/", "x"))
		synctest.Wait()
		if both := []string{<-seen, <-seen}; !slices.Contains(both, "n2 received 502 0s") || !slices.Contains(both, "n1 rejected 502 0s") {
			t.Errorf("seen: %s", both)
		}
		end()
		for len(seen) > 0 {
			<-seen
		}
	})
}

// TestObserveWebsocket: a websocket is no request whose client went.
func TestObserveWebsocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := upstreamSays(t, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
		var seen []string
		c := newCluster(t, 1, func(_ int, cfg *Config) {
			cfg.Dial = web.dial
			cfg.Observe = func(route Route, status int, _ time.Duration) { seen = append(seen, fmt.Sprint(route, " ", status)) }
		})
		out := talk(t, serveHTTP(t, c.members[0]), "GET / HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 1000)
		if !strings.HasPrefix(out, "HTTP/1.1 101 ") || !strings.HasSuffix(out, "hello") {
			t.Errorf("%q", out)
		}
		synctest.Wait()
		if fmt.Sprint(seen) != "[local 101]" {
			t.Errorf("seen: %v", seen)
		}
		c.idle()
	})
}

// TestAnswerSays: what the agent adds to an answer of a peer.
func TestAnswerSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m, end := hot(t, 2, tight)
		r := request("GET", "/?ms=12", "")
		r.Header.Set("X-Request-Id", "abc")
		h := m.do(r).Header()
		if got := h.Get("Proxy-Status"); got != `kecho-n1; next-hop="n2"; details="overflow"` {
			t.Errorf("Proxy-Status: %s", got)
		}
		if !strings.Contains(strings.Join(h["Server-Timing"], ","), "peer;dur=12.0") {
			t.Errorf("Server-Timing: %s", h["Server-Timing"])
		}
		if h.Get("Via") != "1.1 kecho-n1" || h.Get("X-Request-Id") != "abc" {
			t.Errorf("Via: %s, X-Request-Id: %s", h.Get("Via"), h.Get("X-Request-Id"))
		}
		end()
	})
}

// TestReplayBudget: when too much is kept already, bodies are streamed, and
// what was kept is given back.
func TestReplayBudget(t *testing.T) {
	budget := new(replayBudget)
	budget.kept.Store(maxReplayed - 10)
	small := payload{rest: strings.NewReader("0123456789"), length: 10, budget: budget}
	large := payload{rest: strings.NewReader("01234567890"), length: 11, budget: budget}
	for _, p := range []*payload{&small, &large} {
		if err := p.keep(); err != nil {
			t.Fatal(err)
		}
	}
	if !small.kept() || large.kept() {
		t.Errorf("kept %v and %v, want the first alone", small.kept(), large.kept())
	}
	for range 2 {
		if b, _ := io.ReadAll(small.reader()); string(b) != "0123456789" || !small.fresh() {
			t.Errorf("a kept body: %q", b)
		}
	}
	if _ = large.reader(); large.fresh() {
		t.Error("a body that was handed out is not fresh")
	}
	short := payload{rest: strings.NewReader("012"), length: 5, budget: budget}
	budget.kept.Store(0)
	if err := short.keep(); !errors.Is(err, errUpload) {
		t.Errorf("a body that ends early: %v", err)
	}
	short.release()
	if n := budget.kept.Load(); n != 0 {
		t.Errorf("%d bytes are counted after the release", n)
	}
}
