package balancer

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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
	for range m.cfg.Limits.Hard {
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
func tight(_ int, cfg *Config) { cfg.Limits.Soft, cfg.Limits.Hard = 1, 1 }

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
		c, m, end := hot(t, 2, tight)
		peer := c.raw()
		peer.load(0, 1000)
		c.hub.Down(c.members[1].id, m.id)
		synctest.Wait()
		var all []<-chan *outcome
		for range 100 {
			all = append(all, start(func() *outcome { return m.get("/") }))
		}
		peer.ofType(typeRequest, 100)
		peer.leave()
		synctest.Wait()
		if s := m.Stats(); s.CopiesLost != 100 || s.Retries < 10 || s.Retries > 40 {
			t.Errorf("%d of %d losses were repeated, want those that 100 requests earn and some", s.Retries, s.CopiesLost)
		}
		await(all)
		end()
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

// TestSilentPeer: a peer that takes events and says nothing, as one that is
// stopped, costs a repeatable request half a second and is left alone then.
func TestSilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 3, tight)
		mute := c.raw()
		busy := append(c.members[1].fill(1, 100), c.members[2].fill(1, 100)...)
		c.settle()
		res := start(func() *outcome { return m.get("/") })
		asked := mute.ofType(typeRequest, 1)[0]
		await(busy)
		c.settle()
		got := <-res
		if got.Code != 200 || got.took != 500*time.Millisecond {
			t.Errorf("%d after %v, want 200 from another after 500 ms", got.Code, got.took)
		}
		if e := mute.ofType(typeCancel, 1)[0]; e.Re != asked.ID {
			t.Errorf("cancelled %v, want %v", e.Re, asked.ID)
		}
		for range 3 {
			if res := m.get("/"); res.Code != 200 || res.took != 0 {
				t.Errorf("%d after %v: the mute peer was asked again", res.Code, res.took)
			}
		}
		// It wakes up and answers now: late.
		mute.say(typeAnswer, asked.ID, packed(answerHead{Status: 200, Length: 4, Fin: true}, "late"))
		synctest.Wait()
		if s := m.Stats(); s.Late != 1 || s.CopiesSilent != 1 {
			t.Errorf("counted %+v", s)
		}
		end()
	})
}

// TestSilentPeers: at most half of the peers are left alone for being silent.
func TestSilentPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 1, tight)
		var mute []*rawPeer
		for range 4 {
			mute = append(mute, c.raw())
		}
		synctest.Wait()
		res := start(func() *outcome { return m.get("/") })
		time.Sleep(1501 * time.Millisecond)
		asked, ejected := 0, 0
		for _, p := range mute {
			asked += len(p.events.Events())
			m.calls.mu.Lock()
			if m.calls.health.Ejected(m.gate.now(), p.id) {
				ejected++
			}
			m.calls.mu.Unlock()
		}
		if asked != 5 || ejected != 2 {
			t.Errorf("%d events went to peers, want 3 requests and 2 cancels; %d of 4 peers were ejected, want 2", asked, ejected)
		}
		for _, p := range mute {
			p.leave()
		}
		if got := <-res; got.Code != 502 {
			t.Errorf("%d, want 502", got.Code)
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

// TestRace: of n copies the first answer wins; the others are cancelled at
// their web servers, and never reach the client.
func TestRace(t *testing.T) {
	for _, copies := range []int{2, 3} {
		synctest.Test(t, func(t *testing.T) {
			c, m, end := hot(t, 5, func(i int, cfg *Config) {
				tight(i, cfg)
				cfg.Copies = copies
			})
			var begun atomic.Int64
			for _, peer := range c.members[1:] {
				peer.web.set(func(w http.ResponseWriter, r *http.Request) {
					select {
					case <-r.Context().Done():
					case <-time.After(time.Duration(begun.Add(1)) * 30 * time.Millisecond):
						_, _ = io.WriteString(w, "answer of "+peer.web.name)
					}
				})
			}
			res := m.get("/")
			if res.Code != 200 || res.took != 30*time.Millisecond || res.Body.String() != "answer of "+res.by() {
				t.Errorf("%d %q of %s after %v", res.Code, res.Body, res.by(), res.took)
			}
			synctest.Wait()
			ended := 0
			for _, peer := range c.members[1:] {
				ended += len(peer.web.ended)
				if s := peer.Stats(); s.Wasted != uint64(len(peer.web.ended)) {
					t.Errorf("%s counts %d wasted, want %d", peer.cfg.Name, s.Wasted, len(peer.web.ended))
				}
			}
			s := m.Stats()
			if begun.Load() != int64(copies) || ended != copies-1 || s.CopiesSent != uint64(copies) || s.Cancels != uint64(copies-1) {
				t.Errorf("%d begun, %d cancelled; %+v", begun.Load(), ended, s)
			}
			if post := m.do(request("POST", "/", "data")); post.Code != 200 || m.Stats().CopiesSent != uint64(copies)+1 {
				t.Errorf("a POST was sent to several")
			}
			end()
		})
	}
}

// TestRaceDuplicates: both answers are there at once, and the client gets one.
func TestRaceDuplicates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 1, func(i int, cfg *Config) {
			tight(i, cfg)
			cfg.Copies = 2
		})
		peers := []*rawPeer{c.raw(), c.raw()}
		synctest.Wait()
		res := start(func() *outcome { return m.get("/") })
		asked := peers[0].ofType(typeRequest, 1)[0]
		peers[1].ofType(typeRequest, 1)
		head := packed(answerHead{Status: 200, Length: -1}, "")
		for _, p := range peers {
			p.say(typeAnswer, asked.ID, head)
			synctest.Wait()
			p.say(typeAnswerBody, asked.ID, bodyPart(finPlain, 0, p.node.ID().String()))
		}
		if got := <-res; got.Body.String() != peers[0].node.ID().String() {
			t.Errorf("the answer is %q, want the first peer's alone", got.Body)
		}
		synctest.Wait()
		if s := m.Stats(); s.Duplicates+s.Late < 2 {
			t.Errorf("dropped %d and %d, want head and body of the second answer", s.Duplicates, s.Late)
		}
		end()
	})
}

// TestRaceOneDies: the race goes on without who failed.
func TestRaceOneDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 1, func(i int, cfg *Config) {
			tight(i, cfg)
			cfg.Copies = 3
		})
		peers := []*rawPeer{c.raw(), c.raw(), c.raw()}
		synctest.Wait()
		res := start(func() *outcome { return m.get("/") })
		asked := peers[0].ofType(typeRequest, 1)[0]
		peers[0].leave()
		peers[1].say(typeBusy, asked.ID, nil)
		synctest.Wait()
		peers[2].say(typeAnswer, asked.ID, packed(answerHead{Status: 204, Length: -1, Fin: true}, ""))
		if got := <-res; got.Code != 204 {
			t.Errorf("%d, want the answer of the one that was left", got.Code)
		}
		if s := m.Stats(); s.CopiesLost != 1 || s.CopiesBusy != 1 || s.CopiesAnswered != 1 {
			t.Errorf("counted %+v", s)
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
