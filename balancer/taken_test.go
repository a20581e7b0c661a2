package balancer

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// TestSlowSmallBody: a peer whose web server takes long between the head and
// the body of a small answer is not silent.
func TestSlowSmallBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 3, tight)
		var served int64
		for _, peer := range c.members[1:] {
			peer.web.set(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "4")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(700 * time.Millisecond)
				_, _ = io.WriteString(w, "body")
			})
		}
		res := m.get("/")
		for _, peer := range c.members[1:] {
			served += peer.web.served.Load()
		}
		if s := m.Stats(); res.Body.String() != "body" || served != 1 || s.CopiesSilent != 0 {
			t.Errorf("%q after %v, begun %d times, %d peers silent", res.Body, res.took, served, s.CopiesSilent)
		}
		end()
	})
}

// TestUploadAfterDial: the body of a request that cannot be sent again is not
// asked for by a peer that has no connection to its web server.
func TestUploadAfterDial(t *testing.T) {
	for _, r := range []*http.Request{
		chunked("POST", "/", "data"),
		request("POST", "/", fmt.Sprintf("%070000d", 1)),
	} {
		synctest.Test(t, func(t *testing.T) {
			c, m, end := hot(t, 3, func(i int, cfg *Config) {
				if cfg.Policy.Places = 2; i == 0 {
					tight(i, cfg)
				}
			})
			other := c.members[2].fill(2, 50) // so that the other one claims first
			c.members[1].web.down.Store(true)
			if res := m.do(r); res.Code != 200 || res.by() != "n3" {
				t.Errorf("%d by %q: %s, want n3", res.Code, res.by(), res.Body)
			}
			if s := c.members[1].Stats(); s.Refused != 1 {
				t.Errorf("the peer without a web server refused %d requests", s.Refused)
			}
			await(other)
			end()
		})
	}
}

// TestMovedExpectation: a peer asks for the body at once, whatever its web
// server thinks of expectations.
func TestMovedExpectation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 2, tight)
		c.members[1].web.set(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(700 * time.Millisecond) // before it says that it wants the body
			_, _ = io.Copy(w, r.Body)
		})
		r := chunked("POST", "/", "data")
		r.Header.Set("Expect", "100-continue")
		if res := m.do(r); res.Body.String() != "data" || m.Stats().CopiesSilent != 0 {
			t.Errorf("%d after %v, %d silent", res.Code, res.took, m.Stats().CopiesSilent)
		}
		end()
	})
}
