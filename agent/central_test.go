package agent_test

import (
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent/agenttest"
)

// TestBesideCentralQueue holds whole agents, in fake time, beside one central
// queue for all workers that gets the same requests at the same moments: with
// the load spread evenly at .8, and with all of it at one of four nodes, which
// is 3.3 times what that can do.
func TestBesideCentralQueue(t *testing.T) {
	t.Run("uniform", func(t *testing.T) { besideCentral(t, 337, 4) })
	t.Run("hot", func(t *testing.T) { besideCentral(t, 350, 1) })
}

func besideCentral(t *testing.T, rate float64, entries int) {
	const requests, mean = 5000, 38 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Nodes: 4, Handler: func(int) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				d, _ := time.ParseDuration(r.URL.Query().Get("takes"))
				time.Sleep(d)
				_, _ = io.WriteString(w, "done")
			})
		}})
		c.WaitLinked(t)
		random := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		var agents, central []time.Duration
		var wg sync.WaitGroup
		free := make([]time.Duration, 16) // when each worker of the central queue is
		begin := time.Now()
		for range requests {
			time.Sleep(time.Duration(random.ExpFloat64() / rate * float64(time.Second)))
			takes, node := time.Duration(random.ExpFloat64()*float64(mean)), c.Nodes[random.IntN(entries)]
			now := time.Since(begin)
			first := slices.Index(free, slices.Min(free))
			free[first] = max(now, free[first]) + takes
			central = append(central, free[first]-now)
			wg.Go(func() {
				start := time.Now()
				if status, _ := node.Get(t, "/?takes="+takes.String()); status != http.StatusOK {
					t.Errorf("%s: %d", node.Name, status)
				}
				mu.Lock()
				defer mu.Unlock()
				agents = append(agents, time.Since(start))
			})
		}
		wg.Wait()
		slices.Sort(agents)
		slices.Sort(central)
		const p99 = requests * 99 / 100
		ratio := float64(agents[p99]) / float64(central[p99])
		t.Logf("p99 %v, of the central queue %v: %.3f", agents[p99], central[p99], ratio)
		if ratio > 1.1 {
			t.Errorf("p99 is %.3f times the central queue's, want 1.1 at most", ratio)
		}
	})
}
