package balancer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kecho/balancer/policy"
	"kecho/channel"
)

// hot is a cluster whose first member has its own web server full for 100 s,
// so that requests to it move; the limits must be tight. The function that it
// returns is for the test's end.
func hot(t *testing.T, n int, change func(i int, cfg *Config)) (*cluster, *member, func()) {
	t.Helper()
	c := newCluster(t, n, change)
	m := c.members[0]
	var local []<-chan *outcome
	for range m.cfg.Policy.Hard {
		local = append(local, start(func() *outcome { return m.get("/fill?ms=100000&head") }))
		synctest.Wait()
	}
	return c, m, func() {
		t.Helper()
		for _, res := range await(local) {
			if res.Code != 200 {
				t.Errorf("a request that filled the node: %d", res.Code)
			}
		}
		c.idle()
	}
}

// tight has a node with places of its own for as many as it takes.
func tight(_ int, cfg *Config) { cfg.Policy.Places, cfg.Policy.Hard = 1, 1 }

// TestLossNamesPeer: the log says by name with which peer a request was lost.
func TestLossNamesPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c, m, end := hot(t, 2, func(i int, cfg *Config) {
			if tight(i, cfg); i == 0 {
				cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			}
		})
		res := start(func() *outcome { return m.do(request("POST", "/?ms=1000", "")) })
		time.Sleep(100 * time.Millisecond)
		c.cut(c.members[1])
		<-res
		if !strings.Contains(log.String(), "was lost\" method=POST peer=n2 ") {
			t.Errorf("the log says %q", log.String())
		}
		end()
	})
}

// TestPeerDiesBeforeHead: what may be done twice is done elsewhere, what may
// not is not.
func TestPeerDiesBeforeHead(t *testing.T) {
	for _, c := range []struct {
		name string
		r    func() *http.Request
		code int
	}{
		{"GET", func() *http.Request { return request("GET", "/", "") }, 200},
		{"PUT", func() *http.Request { return request("PUT", "/", strings.Repeat("x", 60<<10)) }, 200},
		{"POST", func() *http.Request { return request("POST", "/", "data") }, 502},
		{"POST with a key", func() *http.Request {
			r := request("POST", "/", "data")
			r.Header.Set("Idempotency-Key", "k1")
			return r
		}, 200},
		{"PUT with a body that is not kept", func() *http.Request { return request("PUT", "/", strings.Repeat("x", 70<<10)) }, 502},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testPeerDies(t, c.r(), c.code) })
		})
	}
}

func testPeerDies(t *testing.T, r *http.Request, code int) {
	c, m, end := hot(t, 3, tight)
	var first atomic.Pointer[member]
	for _, peer := range c.members[1:] {
		peer.web.set(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // an error is what the test makes
			if first.CompareAndSwap(nil, peer) {
				<-r.Context().Done()
				return
			}
			_, _ = io.WriteString(w, "done")
		})
	}
	res := start(func() *outcome { return m.do(r) })
	time.Sleep(100 * time.Millisecond)
	victim := first.Load()
	c.cut(victim)
	got := <-res
	if got.Code != code || got.took != 100*time.Millisecond {
		t.Errorf("%d %q after %v, want %d at 100 ms", got.Code, got.Body, got.took, code)
	}
	synctest.Wait()
	served := int64(0)
	for _, peer := range c.members[1:] {
		served += peer.web.served.Load()
	}
	want := int64(1)
	if code == 200 {
		want = 2
	}
	s := m.Stats()
	if served != want || s.Retries != uint64(want-1) || s.CopiesLost != 1 {
		t.Errorf("begun %d times, want %d; %+v", served, want, s)
	}
	select {
	case <-victim.web.ended:
	default:
		t.Error("the web server of the node that was cut off still works for it")
	}
	end()
}

// TestRepeatsAreBounded: a request that kills whoever begins it is begun three
// times, not everywhere.
func TestRepeatsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 7, tight)
		begun := 0
		for _, peer := range c.members[1:] {
			peer.web.set(func(http.ResponseWriter, *http.Request) {
				begun++
				panic(http.ErrAbortHandler)
			})
		}
		if res := m.get("/kills"); res.Code != 502 || begun != 3 {
			t.Errorf("%d after it was begun %d times, want 502 after 3", res.Code, begun)
		}
		end()
	})
}

// TestRetryBudget: when much is lost at once, few requests are repeated.
func TestRetryBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, func(_ int, cfg *Config) {
			cfg.Policy = policy.Config{Places: 100, Queue: 200, Mode: policy.Pull}
		})
		m, peer := c.members[0], c.raw()
		peer.coy.Store(true) // requests may move, and nobody takes them
		m.web.set(func(http.ResponseWriter, *http.Request) {
			time.Sleep(time.Millisecond)
			panic(http.ErrAbortHandler)
		})
		for _, res := range m.many(100, "/") {
			if res.Code != 502 {
				t.Errorf("%d, want 502", res.Code)
			}
		}
		s := m.Stats()
		if begun := uint64(m.web.served.Load()); begun != 100+s.Retries || s.Retries < 10 || s.Retries > 40 {
			t.Errorf("100 requests were begun %d times, %d by repeats, want those that 100 requests earn and some", begun, s.Retries)
		}
		c.idle()
	})
}

// TestPeerDiesMidBody: a client must never take half an answer for a whole one.
func TestPeerDiesMidBody(t *testing.T) {
	for _, sized := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c, m, end := hot(t, 2, tight)
			c.members[1].web.set(func(w http.ResponseWriter, r *http.Request) {
				if sized {
					w.Header().Set("Content-Length", "100000")
				}
				_, _ = io.WriteString(w, strings.Repeat("x", 50_000))
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			})
			res, err := client(t, serveHTTP(t, m)).Get("http://web/")
			if err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(time.Second, func() { c.cut(c.members[1]) })
			body, err := readAll(res.Body)
			if len(body) != 50_000 || !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%d bytes and %v, want 50,000 and that it is not whole", len(body), err)
			}
			end()
		})
	}
}

// TestUpstreamDiesMidBody: as when the peer dies; here its web server does.
func TestUpstreamDiesMidBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 2, tight)
		c.members[1].web.set(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", 50_000))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(time.Millisecond) // the client has the head by then
			panic(http.ErrAbortHandler)
		})
		res, err := client(t, serveHTTP(t, m)).Get("http://web/")
		if err != nil {
			t.Fatal(err)
		}
		if body, err := readAll(res.Body); err == nil {
			t.Errorf("%d bytes and no error", len(body))
		}
		end()
	})
}

// TestSilentPeer: a peer that claims and then says nothing, as one that is
// stopped just then, costs a repeatable request half a second, and is left alone
// when it did so three times.
func TestSilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 3, tight)
		mute := c.raw()
		busy := append(c.members[1].fill(1, 100), c.members[2].fill(1, 100)...)
		c.settle()
		res := start(func() *outcome { return m.get("/?ms=20") })
		asked := mute.ofType(typeRequest, 1)[0]
		await(busy)
		c.settle()
		got := <-res
		if got.Code != 200 || got.took != 520*time.Millisecond {
			t.Errorf("%d after %v, want 200 from another 500 ms later", got.Code, got.took)
		}
		if e := mute.ofType(typeCancel, 1)[0]; e.Re != asked.ID {
			t.Errorf("cancelled %v, want %v", e.Re, asked.ID)
		}
		silent := uint64(1)
		for range 40 {
			switch res := m.get("/?ms=20"); {
			case res.Code != 200:
				t.Errorf("%d after %v", res.Code, res.took)
			case res.took > 100*time.Millisecond:
				silent++
			}
		}
		// It wakes up and answers now: late.
		mute.say(typeAnswer, asked.ID, packed(answerHead{Status: 200, Length: 4, Fin: true}, "late"))
		synctest.Wait()
		if s := m.Stats(); s.Late != 1 || s.CopiesSilent != silent || silent > 4 {
			t.Errorf("%d requests had to wait for the mute peer: %+v", silent, s)
		}
		end()
	})
}

// TestSilentPeers: where all are mute, a request is not begun more often than
// any other.
func TestSilentPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 1, tight)
		var mute []*rawPeer
		for range 4 {
			mute = append(mute, c.raw())
		}
		synctest.Wait()
		got := m.get("/")
		synctest.Wait()
		events := map[channel.Type]int{}
		for _, p := range mute {
			for _, e := range p.events.Events() {
				events[e.Type]++
			}
		}
		if got.Code != 504 || events[typeRequest] != 3 || events[typeCancel] != 3 {
			t.Errorf("%d after %v; to peers went %v, want 3 requests and as many cancels", got.Code, got.took, events)
		}
		end()
	})
}

// TestSilentPeerAndPost: what may not be repeated waits for the peer, and is
// not sent elsewhere.
func TestSilentPeerAndPost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m, end := hot(t, 1, tight)
		mute := m.c.raw()
		synctest.Wait()
		for _, r := range []*http.Request{request("POST", "/", "data"), chunked("POST", "/", "data")} {
			before := len(mute.events.Events())
			res := start(func() *outcome { return m.do(r) })
			time.Sleep(31 * time.Second)
			select {
			case got := <-res:
				if got.Code != 504 || got.took != 30*time.Second {
					t.Errorf("%d after %v, want 504 after 30 s", got.Code, got.took)
				}
			default:
				t.Fatal("it waits for ever")
			}
			types := []channel.Type{}
			for _, e := range mute.events.Events()[before:] {
				types = append(types, e.Type)
			}
			if len(types) != 2 || types[0] != typeRequest || types[1] != typeCancel {
				t.Errorf("the peer got %v", types)
			}
		}
		end()
	})
}

// TestClientGone: the cancel reaches the peer's web server, whatever the
// answer had come to, and says why.
func TestClientGone(t *testing.T) {
	for _, headFirst := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c, m, end := hot(t, 2, tight)
			c.members[1].web.set(func(w http.ResponseWriter, r *http.Request) {
				if headFirst {
					_, _ = io.WriteString(w, "beginning")
					_ = http.NewResponseController(w).Flush()
				}
				<-r.Context().Done()
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			r, _ := http.NewRequestWithContext(ctx, "GET", "http://web/", nil)
			res, err := client(t, serveHTTP(t, m)).Do(r)
			if headFirst {
				if err != nil {
					t.Fatal(err)
				}
				_, err = readAll(res.Body)
			}
			if err == nil {
				t.Error("the client got an answer")
			}
			synctest.Wait()
			if n := len(c.members[1].web.ended); n != 1 {
				t.Errorf("%d requests of the peer's web server were cancelled, want 1", n)
			}
			if s := c.members[1].Stats(); s.Wasted != 1 || s.Exchanges != 0 {
				t.Errorf("the peer counts %+v", s)
			}
			if s := m.Stats(); s.Calls != 0 || s.Cancels != 1 {
				t.Errorf("the owner counts %+v", s)
			}
			end()
		})
	}
}
