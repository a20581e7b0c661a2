package balancer

import (
	"net/http"
	"testing"
	"testing/synctest"
)

// TestOverflowCountsRequests: each request counts once, however often peers
// were tried for it and how many copies it had.
func TestOverflowCountsRequests(t *testing.T) {
	t.Run("no peer has room", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 3, tight)
			m := c.members[0]
			full := m.fill(1, 300)
			for _, member := range c.members[1:] {
				full = append(full, member.fill(1, 1000)...)
			}
			c.settle()
			for range 2 {
				full = append(full, start(func() *outcome { return m.get("/waits") }))
			}
			for _, res := range await(full) {
				if res.Code != 200 {
					t.Errorf("%d", res.Code)
				}
			}
			if s := m.Stats(); s.Overflowed != 2 || s.NoPeer != 2 {
				t.Errorf("%d overflowed and %d found no peer, want 2 and 2", s.Overflowed, s.NoPeer)
			}
			c.idle()
		})
	})
	t.Run("a lost request", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 2, nil)
			m := c.members[0]
			m.web.set(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
			if res := m.get("/"); res.Code != 200 || res.by() != "n2" {
				t.Errorf("%d by %q", res.Code, res.by())
			}
			if s := m.Stats(); s.Overflowed != 0 || s.Retries != 1 {
				t.Errorf("%d overflowed, %d retries, want 0 and 1: it had a place", s.Overflowed, s.Retries)
			}
			c.idle()
		})
	})
}
