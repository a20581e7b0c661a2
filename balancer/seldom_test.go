package balancer

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestSeldom: however many requests fail, the log gets a line a second, and
// says how many it does not show.
func TestSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		c := newCluster(t, 1, func(_ int, cfg *Config) {
			cfg.Logger = slog.New(slog.NewTextHandler(&text, nil))
		})
		m := c.members[0]
		m.web.down.Store(true)
		for range 101 {
			if res := m.get("/"); res.Code != 502 {
				t.Fatalf("%d, want 502", res.Code)
			}
		}
		const message = "a request was not served"
		if n := strings.Count(text.String(), message); n != 1 {
			t.Errorf("%d lines for 101 requests at once, want 1", n)
		}
		time.Sleep(time.Second)
		m.get("/")
		time.Sleep(time.Second)
		m.get("/")
		if n := strings.Count(text.String(), message); n != 3 || strings.Count(text.String(), "more=100") != 1 || strings.Count(text.String(), "more=") != 1 {
			t.Errorf("%d lines, want 3, one of them with more=100:\n%s", n, text.String())
		}
		c.idle()
	})
}
