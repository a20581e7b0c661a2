package balancer

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/balancer/policy"
)

// TestLearnedPlaces: a web server that works on 3 requests at once and has the
// others wait inside it is given about as many, whatever the limit was at first.
func TestLearnedPlaces(t *testing.T) {
	for _, places := range []int{1, 40} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 1, func(_ int, cfg *Config) {
				cfg.Policy = policy.Config{Places: places, MaxPlaces: 64}
			})
			m := c.members[0]
			workers := make(chan struct{}, 3)
			m.web.set(func(_ http.ResponseWriter, _ *http.Request) {
				workers <- struct{}{}
				time.Sleep(40 * time.Millisecond)
				<-workers
			})
			r := rand.New(rand.NewPCG(7, 8))
			var clients sync.WaitGroup
			for range 2500 { // 64 a second, of the 75 that it can do
				clients.Go(func() {
					if res := m.get("/"); res.Code != 200 {
						t.Errorf("%d %s", res.Code, res.Body)
					}
				})
				time.Sleep(time.Duration(r.ExpFloat64() * float64(15600*time.Microsecond)))
			}
			clients.Wait()
			if soft := m.Stats().State.Soft; soft < 3 || soft > 5 {
				t.Errorf("from %d on it came to %d places, want 3 to 5", places, soft)
			}
			c.idle()
		})
	}
}
