package balancer

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/balancer/policy"
)

// twoWith is two nodes with a mode, whose web servers take so long.
func twoWith(t *testing.T, mode policy.Mode, copies policy.Copies, here, there time.Duration) (*cluster, *member, *member) {
	t.Helper()
	c := newCluster(t, 2, func(_ int, cfg *Config) {
		cfg.Policy = policy.Config{Places: 2, Mode: mode, Copies: copies}
	})
	for i, takes := range []time.Duration{here, there} {
		c.members[i].web.set(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else it does not see that its client goes
			select {
			case <-r.Context().Done():
			case <-time.After(takes):
				_, _ = w.Write([]byte("answer"))
			}
		})
	}
	return c, c.members[0], c.members[1]
}

// TestRace: a request that may be begun twice is at two servers, this node's
// own among them; the first answer is the client's and ends the other.
func TestRace(t *testing.T) {
	for _, r := range []struct {
		here, there time.Duration
		by          string
	}{{100 * time.Millisecond, 20 * time.Millisecond, "n2"}, {20 * time.Millisecond, 100 * time.Millisecond, "n1"}} {
		synctest.Test(t, func(t *testing.T) {
			c, m, peer := twoWith(t, policy.Race, policy.Copies{}, r.here, r.there)
			for _, method := range []string{"GET", "PUT"} {
				body := ""
				if method == "PUT" {
					body = strings.Repeat("x", 40<<10) // more than goes with the head
				}
				res := m.do(request(method, "/", body))
				if res.Code != 200 || res.by() != r.by || res.took != 20*time.Millisecond || res.Body.String() != "answer" {
					t.Errorf("%s: %d %q by %s after %v, want %s after 20 ms", method, res.Code, res.Body, res.by(), res.took, r.by)
				}
			}
			synctest.Wait()
			loser := m
			if r.by == "n1" {
				loser = peer
			}
			if n := len(loser.web.ended); n != 2 {
				t.Errorf("%d requests of the loser's web server were ended, want 2", n)
			}
			if res := m.do(request("POST", "/", "x")); res.Code != 200 || res.by() != "n1" {
				t.Errorf("a POST: %d by %s", res.Code, res.by())
			}
			if m.web.served.Load() != 3 || peer.web.served.Load() != 2 {
				t.Errorf("begun %d and %d times, want 3 and 2: a POST runs once", m.web.served.Load(), peer.web.served.Load())
			}
			c.idle()
		})
	}
}

// TestRaceOneFails: the other goes on, whichever it is.
func TestRaceOneFails(t *testing.T) {
	for fails := range 2 {
		synctest.Test(t, func(t *testing.T) {
			c, m, _ := twoWith(t, policy.Race, policy.Copies{}, 50*time.Millisecond, 50*time.Millisecond)
			c.members[fails].web.set(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
			if res := m.get("/"); res.Code != 200 || res.by() != c.members[1-fails].web.name || res.took != 50*time.Millisecond {
				t.Errorf("%d by %s after %v", res.Code, res.by(), res.took)
			}
			c.idle()
		})
	}
}

// TestRaceClientGone: both are ended.
func TestRaceClientGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, peer := twoWith(t, policy.Race, policy.Copies{}, time.Second, time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if res := m.do(request("GET", "/", "").WithContext(ctx)); !res.aborted {
			t.Errorf("%d, want the connection broken off", res.Code)
		}
		synctest.Wait()
		if len(m.web.ended) != 1 || len(peer.web.ended) != 1 {
			t.Errorf("%d and %d were ended, want both", len(m.web.ended), len(peer.web.ended))
		}
		c.idle()
	})
}

// TestRaceSlowReader: an answer of this node's that has begun is not broken off
// when the time for its head is over.
func TestRaceSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, func(_ int, cfg *Config) {
			cfg.Policy, cfg.Timeout = policy.Config{Places: 2, Mode: policy.Race}, time.Second
		})
		c.members[1].web.set(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		m := c.members[0]
		m.web.set(func(w http.ResponseWriter, _ *http.Request) {
			for range 3 {
				_, _ = w.Write([]byte("x"))
				_ = http.NewResponseController(w).Flush()
				time.Sleep(time.Second)
			}
		})
		if res := m.get("/"); res.Code != 200 || res.Body.String() != "xxx" {
			t.Errorf("%d %q after %v", res.Code, res.Body, res.took)
		}
		c.idle()
	})
}

// TestHedge: what takes long gets a backup, whose answer is taken.
func TestHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, _ := twoWith(t, policy.Hedge, policy.Copies{After: 50 * time.Millisecond}, 20*time.Millisecond, 20*time.Millisecond)
		for range 150 { // which earn one
			m.get("/")
		}
		m.web.set(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		if res := m.get("/"); res.Code != 200 || res.by() != "n2" || res.took != 70*time.Millisecond {
			t.Errorf("%d by %s after %v, want n2 after 70 ms", res.Code, res.by(), res.took)
		}
		synctest.Wait()
		if n := len(m.web.ended); n != 1 {
			t.Errorf("%d requests of the loser's web server were ended, want 1", n)
		}
		c.idle()
	})
}

// TestSpeculative: a small request travels with its offers, and runs once.
func TestSpeculative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 4, func(i int, cfg *Config) { tight(i, cfg); cfg.Policy.Mode = policy.Speculative })
		for range 10 {
			if res := m.get("/?ms=20"); res.Code != 200 || res.by() == "n1" || res.took != 20*time.Millisecond {
				t.Errorf("%d by %s after %v", res.Code, res.by(), res.took)
			}
		}
		var claims uint64
		for _, peer := range c.members[1:] {
			claims += peer.Stats().Claims
		}
		if claims > 0 {
			t.Errorf("%d claims, want none", claims)
		}
		if res := m.do(request("POST", "/?ms=20", "x")); res.Code != 200 {
			t.Errorf("a POST: %d", res.Code)
		}
		end()
	})
}

// TestPaper: a request waits here for that long before it moves.
func TestPaper(t *testing.T) {
	for _, copies := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 4, func(_ int, cfg *Config) {
				cfg.Policy.Mode, cfg.Policy.Hard = policy.Paper, cfg.Policy.Places
				cfg.Policy.Copies = policy.Copies{Most: copies, After: 50 * time.Millisecond}
			})
			m := c.members[0]
			local := m.fill(1, 30)
			local = append(local, m.fill(1, 5000)...)
			if res := m.get("/soon?ms=1"); res.by() != "n1" || res.took != 31*time.Millisecond {
				t.Errorf("served by %s after %v, want here when a place is free at 30 ms", res.by(), res.took)
			}
			local = append(local, m.fill(1, 5000)...)
			if res := m.get("/moves?ms=10"); res.by() == "n1" || res.took != 60*time.Millisecond {
				t.Errorf("served by %s after %v, want by a peer after 60 ms", res.by(), res.took)
			}
			if s := m.Stats(); s.CopiesSent != uint64(copies) {
				t.Errorf("%d copies were sent, want %d", s.CopiesSent, copies)
			}
			await(local)
			c.idle()
		})
	}
}
