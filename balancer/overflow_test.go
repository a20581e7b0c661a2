package balancer

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/balancer/policy"
)

func TestOverflowIsServedByPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 4, nil)
		hot := c.members[0]
		by := map[string]int{}
		for _, res := range hot.many(8, "/x?ms=38") {
			if res.Code != 200 || res.Body.String() != "GET /x" || res.took > 40*time.Millisecond {
				t.Errorf("%d %q after %v", res.Code, res.Body, res.took)
			}
			by[res.by()]++
		}
		c.idle()
		for _, m := range c.members {
			if by[m.web.name] != 2 {
				t.Errorf("%s served %d of 8 requests, want 2: %v", m.web.name, by[m.web.name], by)
			}
		}
		if s := hot.Stats(); s.Local != 2 || s.Forwarded != 6 || s.CopiesSent != 6 || s.CopiesAnswered != 6 {
			t.Errorf("counted %+v", s)
		}
		for _, m := range c.members[1:] {
			if s := m.Stats(); s.Received != 2 || s.Refused != 0 {
				t.Errorf("%s counted %+v", m.cfg.Name, s)
			}
		}
	})
}

// TestSentSinceIsCounted: no report comes between the requests, so without
// counting what was sent all pushes would go to the same peer, which refuses.
func TestSentSinceIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 6, func(_ int, cfg *Config) {
			cfg.Policy.Places, cfg.Policy.Hard, cfg.Policy.Mode = 10, 10, policy.Pushes
		})
		hot := c.members[0]
		local := hot.fill(10, 200)
		by := map[string]int{}
		for _, res := range hot.many(10, "/?ms=20") {
			by[res.by()]++
		}
		for _, m := range c.members[1:] {
			if by[m.web.name] != 2 {
				t.Errorf("10 requests at once went to %v, want 2 to each of 5 peers", by)
			}
			if s := m.Stats(); s.Refused > 0 {
				t.Errorf("%s refused %d", m.cfg.Name, s.Refused)
			}
		}
		await(local)
		c.idle()
	})
}

// TestLeastLoadedFirst: a push goes to the peer that says that it is least busy.
func TestLeastLoadedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 4, func(_ int, cfg *Config) {
			cfg.Policy.Places, cfg.Policy.Hard, cfg.Policy.Mode = 10, 10, policy.Pushes
		})
		var busy []<-chan *outcome
		for i, n := range []int{10, 5, 1, 4} {
			busy = append(busy, c.members[i].fill(n, 500)...)
		}
		c.settle()
		for range 3 {
			if res := c.members[0].get("/?ms=20"); res.by() != "n3" {
				t.Errorf("served by %s, want n3, which is the least loaded", res.by())
			}
		}
		await(busy)
		c.idle()
	})
}

// TestBeyondTheSoftLimit: what no peer claims has a place here beyond the soft
// limit, once it is known that none does.
func TestBeyondTheSoftLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, func(_ int, cfg *Config) { cfg.Policy.Places, cfg.Policy.Hard = 1, 2 })
		hot := c.members[0]
		var local []<-chan *outcome
		local = append(local, hot.fill(1, 100)...)
		for _, m := range c.members[1:] {
			local = append(local, m.fill(1, 100)...)
		}
		res := start(func() *outcome { return hot.get("/second") })
		if got := <-res; got.Code != 200 || got.by() != "n1" || got.took != time.Millisecond {
			t.Errorf("%d by %s after %v, want a place here beyond the soft limit as soon as nobody claims it", got.Code, got.by(), got.took)
		}
		if s := hot.Stats(); s.Offers != 2 || s.Grants != 0 || s.NoPeer != 1 {
			t.Errorf("counted %+v", s)
		}
		await(local)
		c.idle()
	})
}

// TestRefusedOnce: a peer that claims and then refuses is not offered that
// request again, and others it is.
func TestRefusedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 1, func(i int, cfg *Config) { tight(i, cfg); cfg.Timeout = time.Second })
		p := c.raw()
		res := start(func() *outcome { return m.get("/") })
		p.say(typeBusy, p.ofType(typeRequest, 1)[0].ID, nil)
		synctest.Wait()
		if n := len(p.events.Events()); n != 1 {
			t.Errorf("asked %d times in the moment of its refusal, want once", n)
		}
		time.Sleep(100 * time.Millisecond)
		q := c.raw()
		p.coy.Store(true)
		other := start(func() *outcome { return m.get("/") })
		for range 2 {
			q.say(typeAnswer, q.ofType(typeRequest, 1)[0].ID, packed(answerHead{Status: 204, Length: -1, Fin: true}, ""))
		}
		<-other
		if n := len(p.ofType(typeRequest, 1)); n != 1 {
			t.Errorf("asked %d times after its refusal, want once", n)
		}
		p.leave()
		<-res
		end()
	})
}

// TestQueueKeepsAge: of two that wait here the one that came first starts
// first, although the peers refused it later.
func TestQueueKeepsAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, func(_ int, cfg *Config) { cfg.Policy.Places, cfg.Policy.Hard = 1, 1 })
		peer := c.raw()
		c.settle()
		hot := c.members[0]
		var order []string
		hot.web.set(func(w http.ResponseWriter, r *http.Request) {
			order = append(order, r.URL.Path)
			work(w, r)
		})
		local := hot.fill(1, 100)
		first := start(func() *outcome { return hot.get("/first") })
		peer.ofType(typeRequest, 1)
		peer.leave() // the second has nobody to ask and waits here at once
		synctest.Wait()
		second := start(func() *outcome { return hot.get("/second") })
		for _, res := range []*outcome{<-first, <-second} {
			if res.Code != 200 {
				t.Errorf("%d %s", res.Code, res.Body)
			}
		}
		await(local)
		if want := []string{"/fill", "/first", "/second"}; !slices.Equal(order, want) {
			t.Errorf("served %v, want %v", order, want)
		}
		c.idle()
	})
}

// TestPolicy: the web server never sees more than the hard limit; what waits
// is bounded, and more is refused with a time to come back.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, nil) // 2 and 4 places, 16 wait
		m := c.members[0]
		codes := map[int]int{}
		for _, res := range m.many(30, "/?ms=100") {
			codes[res.Code]++
			if res.Code == 503 {
				after, err := strconv.Atoi(res.Header().Get("Retry-After"))
				if err != nil || after < 1 || after > 4 || res.took != 0 {
					t.Errorf("refused with Retry-After %q after %v", res.Header().Get("Retry-After"), res.took)
				}
			}
		}
		if codes[200] != 20 || codes[503] != 10 {
			t.Errorf("answers by code: %v, want 20 served and 10 refused", codes)
		}
		if most := m.web.most.Load(); most != 4 {
			t.Errorf("%d requests at once at the web server, want the hard limit, 4", most)
		}
		if s := m.Stats(); s.Shed != 10 || s.Rejected != 10 || s.Local != 20 {
			t.Errorf("counted %+v", s)
		}
		c.idle()
	})
}

// TestShedByAge: the queue has room, but who is in it waits for too long.
func TestShedByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, nil)
		m := c.members[0]
		waiting := m.fill(5, 2000)
		time.Sleep(499 * time.Millisecond)
		early := start(func() *outcome { return m.get("/early") })
		time.Sleep(2 * time.Millisecond)
		late := m.get("/late")
		if late.Code != 503 || late.Header().Get("Retry-After") == "" {
			t.Errorf("with a head of 501 ms: %d %v", late.Code, late.Header())
		}
		if res := <-early; res.Code != 200 {
			t.Errorf("with a head of 499 ms: %d", res.Code)
		}
		await(waiting)
		c.idle()
	})
}

// TestUpstreamDown: without its web server a node overflows everything, the
// request that finds out included, bodies too; and it stops when the web server is back.
func TestUpstreamDown(t *testing.T) {
	for _, r := range []func() *http.Request{
		func() *http.Request { return request("GET", "/a", "") },
		func() *http.Request { return request("POST", "/a", "data") },
		func() *http.Request { return chunked("POST", "/a", "data") },
	} {
		testUpstreamDown(t, r)
	}
}

func testUpstreamDown(t *testing.T, r func() *http.Request) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		m := c.members[0]
		for _, peer := range c.members[1:] {
			peer.web.set(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(w, r.Body) // a test sees what is missing
			})
		}
		m.web.down.Store(true)
		for i := range 2 {
			if res := m.do(r()); res.Code != 200 || res.by() == "n1" || res.took > 0 || !strings.HasPrefix("data", res.Body.String()) || (r().Method == "POST") != (res.Body.Len() == 4) {
				t.Errorf("request %d: %d %q by %q after %v", i, res.Code, res.Body, res.by(), res.took)
			}
		}
		if s := m.Stats(); s.Upstream.Up || s.Forwarded != 2 || !s.State.Down {
			t.Errorf("counted %+v", s)
		}
		c.settle()
		if res := c.members[1].many(7, "/?ms=10"); len(res) != 7 || m.Stats().Received != 0 {
			t.Error("a peer without its web server was asked")
		}
		m.web.down.Store(false)
		time.Sleep(2 * time.Second)
		if res := m.get("/back"); res.Code != 200 || res.by() != "n1" {
			t.Errorf("%d by %q, want n1, which is back", res.Code, res.by())
		}
		c.idle()
	})
}

// TestAllDown: the client is told soon, in words.
func TestAllDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, nil)
		for _, m := range c.members {
			m.web.down.Store(true)
		}
		for i, target := range []string{"/finds-out", "/knows"} {
			res := c.members[0].get(target)
			if res.Code != 502 || !strings.Contains(res.Body.String(), "no peer") || res.took > time.Second {
				t.Errorf("request %d: %d %q after %v", i, res.Code, res.Body, res.took)
			}
		}
		c.idle()
	})
}

// TestPlaceIsBackWithTheAnswer: the load that rides on the last event of an
// answer does not count that request, or one place would serve once between
// two reports.
func TestPlaceIsBackWithTheAnswer(t *testing.T) {
	for _, target := range []string{"/?ms=1", "/?ms=1&head"} {
		synctest.Test(t, func(t *testing.T) {
			_, m, end := hot(t, 2, tight)
			for range 10 {
				if res := m.get(target); res.Code != 200 || res.took != time.Millisecond {
					t.Errorf("%s: %d after %v", target, res.Code, res.took)
				}
			}
			end()
		})
	}
}

// TestPerPeerLimit: neither side lets one peer have more exchanges than that.
func TestPerPeerLimit(t *testing.T) {
	for _, side := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 2, func(i int, cfg *Config) {
				cfg.Policy.Places, cfg.Policy.Hard = 5, 20 // a peer is trusted with as many at first
				if i == 1 {
					cfg.Policy.Places = 20
				}
				if i == side {
					cfg.PerPeer = 3
				}
			})
			for _, res := range c.members[0].many(20, "/?ms=50") {
				if res.Code != 200 {
					t.Errorf("%d %s", res.Code, res.Body)
				}
			}
			if most := c.members[1].web.most.Load(); most != 3 {
				t.Errorf("limit at node %d: the peer had %d at once, want 3", side+1, most)
			}
			c.idle()
		})
	}
}

// TestNeverForwardedTwice: a peer that is full refuses; it does not pass on.
func TestNeverForwardedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, func(_ int, cfg *Config) { cfg.Policy.Queue = 64 })
		var all sync.WaitGroup
		for range 12 {
			for i, n := range []int{3, 1, 0} {
				for range n {
					all.Go(func() { c.members[i].get("/?ms=20") })
				}
			}
			time.Sleep(7 * time.Millisecond)
		}
		all.Wait()
		synctest.Wait() // who served the last one counts it after its answer
		var forwarded, received, local uint64
		for _, m := range c.members {
			s := m.Stats()
			forwarded, received, local = forwarded+s.Forwarded, received+s.Received, local+s.Local
		}
		if forwarded == 0 || received != forwarded || local+forwarded != 48 {
			t.Errorf("%d forwarded, %d received, %d local, want 48 in all, and each that is received forwarded once", forwarded, received, local)
		}
		c.idle()
	})
}

// TestOwnNameInVia: a request that was here before is served here, and one
// that goes round is ended.
func TestOwnNameInVia(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, nil)
		m := c.members[0]
		local := m.fill(2, 50)
		once := request("GET", "/once", "")
		once.Header.Set("Via", "1.1 kecho-n1")
		if res := m.do(once); res.Code != 200 || res.by() != "n1" {
			t.Errorf("%d by %q, want n1 itself", res.Code, res.by())
		}
		twice := request("GET", "/twice", "")
		twice.Header.Set("Via", "1.1 kecho-n1, 1.1 other, 1.1 kecho-n1")
		if res := m.do(twice); res.Code != http.StatusLoopDetected {
			t.Errorf("%d, want 508", res.Code)
		}
		await(local)
		c.idle()
	})
}

// TestUnfitRequest: what no server can take is refused here, and no peer is
// blamed for it.
func TestUnfitRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		m := c.members[0]
		local := m.fill(2, 50)
		bad := request("GET", "/", "")
		bad.RequestURI = "/a#b"
		if res := m.do(bad); res.Code != 400 {
			t.Errorf("%d, want 400", res.Code)
		}
		if s := m.Stats(); s.CopiesSent != 0 {
			t.Errorf("%d peers were asked", s.CopiesSent)
		}
		await(local)
		c.idle()
	})
}

// TestClientGoneInQueue: who waits and goes leaves nothing behind.
func TestClientGoneInQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, nil)
		m := c.members[0]
		local := m.fill(4, 100)
		ctx, cancel := context.WithCancel(t.Context())
		res := start(func() *outcome { return m.do(request("GET", "/", "").WithContext(ctx)) })
		synctest.Wait()
		if s := m.Stats(); s.State.Queued != 1 {
			t.Errorf("%d wait, want 1", s.State.Queued)
		}
		cancel()
		if got := <-res; !got.aborted {
			t.Errorf("%d, want the connection broken off", got.Code)
		}
		if s := m.Stats(); s.State.Queued != 0 || s.Abandoned != 1 {
			t.Errorf("counted %+v", s)
		}
		await(local)
		if m.web.served.Load() != 4 {
			t.Error("a request whose client was gone was served")
		}
		c.idle()
	})
}

// TestNoServerInTime: a request that waits for its whole time is told so.
func TestNoServerInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, func(_ int, cfg *Config) {
			cfg.Timeout = 3 * time.Second
			cfg.Policy.Places, cfg.Policy.Hard = 1, 1
		})
		m := c.members[0]
		local := m.fill(1, 2999)
		time.Sleep(10 * time.Millisecond)
		moved := m.get("/?ms=10000") // the peer's web server has it until the time is over
		if moved.Code != 504 || moved.took != 3*time.Second || moved.Header().Get("Retry-After") != "" {
			t.Errorf("at a peer: %d after %v", moved.Code, moved.took)
		}
		if got := await(local); got[0].Code != 200 {
			t.Errorf("here: %d", got[0].Code)
		}
		c.idle()
	})
}

// await is the outcomes of requests that were started.
func await(started []<-chan *outcome) (all []*outcome) {
	for _, s := range started {
		all = append(all, <-s)
	}
	return all
}

// chunked is a request whose body's length is not known.
func chunked(method, target, body string) *http.Request {
	r := request(method, target, body)
	r.ContentLength = -1
	return r
}
