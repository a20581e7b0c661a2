package balancer

import (
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// TestSmallSlowBodies: a body that is kept, and takes longer to come than the
// servers have, is served all the same; they have their time after it, here
// and elsewhere.
func TestSmallSlowBodies(t *testing.T) {
	for _, method := range []string{"PUT", "POST"} { // kept at once, and kept to be forwarded
		for _, busy := range []bool{false, true} {
			if method == "POST" && !busy {
				continue // sent on as it comes
			}
			synctest.Test(t, func(t *testing.T) {
				slow := func(i int, cfg *Config) {
					tight(i, cfg)
					cfg.Timeout = 3 * time.Second
				}
				var m *member
				by := "n1"
				if busy {
					c, hot, end := hot(t, 2, slow)
					m, by = hot, c.members[1].cfg.Name
					defer end()
				} else {
					m = newCluster(t, 2, slow).members[0]
				}
				for ms, want := range map[string]int{"2000": 200, "4000": 504} {
					body, feed := io.Pipe()
					go func() {
						for range 8 {
							time.Sleep(time.Second)
							_, _ = feed.Write([]byte("x"))
						}
						_ = feed.Close()
					}()
					r := request(method, "/?ms="+ms, "")
					r.Body, r.ContentLength = body, 8
					res := m.do(r)
					_ = body.Close()
					if res.Code != want || want == 200 && (res.by() != by || res.took != 10*time.Second) || want == 504 && res.took != 11*time.Second {
						t.Errorf("%s, busy %v: %d by %q after %v, want %d", method, busy, res.Code, res.by(), res.took, want)
					}
				}
			})
		}
	}
}
