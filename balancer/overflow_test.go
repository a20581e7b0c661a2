package balancer

import (
	"testing"
	"testing/synctest"
	"time"
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
	})
}
