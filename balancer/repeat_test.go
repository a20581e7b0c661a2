package balancer

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// TestLocalServerLosesUploads: a web server that accepts and closes costs only
// those requests that may not be repeated.
func TestLocalServerLosesUploads(t *testing.T) {
	keyed := func(r *http.Request) *http.Request {
		r.Header.Set("Idempotency-Key", "k1")
		return r
	}
	for _, c := range []struct {
		name string
		r    *http.Request
		code int
	}{
		{"PUT", request("PUT", "/", strings.Repeat("x", 60<<10)), 200},
		{"PUT without a body", request("PUT", "/", ""), 200},
		{"POST with a key", keyed(request("POST", "/", "data")), 200},
		{"POST", request("POST", "/", "data"), 502},
		{"PUT that is too large to be kept", request("PUT", "/", strings.Repeat("x", 70<<10)), 502},
		{"PUT of unknown length", chunked("PUT", "/", "data"), 502},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cl := newCluster(t, 2, nil)
				cl.members[0].web.set(func(_ http.ResponseWriter, r *http.Request) {
					_, _ = io.CopyN(io.Discard, r.Body, 1) // an error is what the test makes
					panic(http.ErrAbortHandler)
				})
				cl.members[1].web.set(func(w http.ResponseWriter, r *http.Request) {
					n, err := io.Copy(io.Discard, r.Body)
					if n != max(r.ContentLength, 0) || err != nil {
						t.Errorf("%d bytes of %d came, %v", n, r.ContentLength, err)
					}
				})
				if res := cl.members[0].do(c.r); res.Code != c.code {
					t.Errorf("%d, want %d: %s", res.Code, c.code, res.Body)
				}
				cl.idle()
			})
		})
	}
}

// TestSlowUploadHoldsNoPlace: a small body that may have to be sent again is
// waited for without a place.
func TestSlowUploadHoldsNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, tight)
		m := c.members[0]
		body, w := io.Pipe()
		r := request("PUT", "/", "")
		r.Body, r.ContentLength = body, 4
		res := start(func() *outcome { return m.do(r) })
		synctest.Wait()
		if s := m.Stats(); s.State.Running != 0 {
			t.Errorf("%d places are taken", s.State.Running)
		}
		_, _ = io.WriteString(w, "body")
		if got := <-res; got.Code != 200 || got.by() != "n1" {
			t.Errorf("%d by %q", got.Code, got.by())
		}
		c.idle()
	})
}

// TestHiddenLoop: a web server that is this agent itself, under a name that
// does not show it, is found at once when all places are taken.
func TestHiddenLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var self *pipes
		m := newCluster(t, 1, func(_ int, cfg *Config) {
			tight(0, cfg)
			dial := cfg.Dial
			cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				if self == nil {
					return dial(ctx, network, address)
				}
				return self.dial(ctx, network, address)
			}
		}).members[0]
		self = serveHTTP(t, m)
		res, err := client(t, self).Get("http://web/")
		if err != nil {
			t.Fatal(err)
		}
		text, err := readAll(res.Body)
		if res.StatusCode != http.StatusLoopDetected || !strings.Contains(text, "--upstream") || err != nil {
			t.Errorf("%s %q %v, want 508", res.Status, text, err)
		}
	})
}
