package agent_test

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent/agenttest"
)

// TestHotServer holds what the product is for, in fake time and so without the
// noise of a machine: one of four servers gets 3.3 times what it can do, which
// is 0.83 of what all can, and nothing is refused, because its peers' places
// are found as they become free.
func TestHotServer(t *testing.T) {
	const (
		rate     = 350 // a second; four servers of 4 workers and 38 ms do 421
		requests = 20 * rate
	)
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Nodes: 4})
		c.WaitLinked(t)
		random := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		var took []time.Duration
		refused, servers := 0, make(map[string]int)
		var wg sync.WaitGroup
		for range requests {
			time.Sleep(time.Duration(random.ExpFloat64() / rate * float64(time.Second)))
			wg.Go(func() {
				start := time.Now()
				status, body := c.Nodes[0].Get(t, "/")
				mu.Lock()
				defer mu.Unlock()
				servers[body]++
				if took = append(took, time.Since(start)); status != http.StatusOK {
					refused++
				}
			})
		}
		wg.Wait()
		slices.Sort(took)
		p50, p99 := took[len(took)/2], took[len(took)*99/100]
		t.Logf("p50 %v, p99 %v, refused %d of %d, served by %v", p50, p99, refused, requests, servers)
		if refused > 0 {
			t.Errorf("%d of %d requests were refused while there was room", refused, requests)
		}
		if p99 > 150*time.Millisecond {
			t.Errorf("p99 is %v, want 150 ms at most", p99)
		}
	})
}
