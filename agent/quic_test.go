package agent_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent"
	"kecho/agent/agenttest"
	"kecho/channel/memnet"
)

// TestOverQUIC has whole agents whose links are QUIC over a network that loses
// packets, brings some twice and some out of order: requests move, peers die and
// come back, and none of what may be repeated is lost.
func TestOverQUIC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{
			Nodes: 4, Net: memnet.Config{Seed: 1, Delay: 200 * time.Microsecond, Loss: 0.01, Twice: 0.01, Late: 0.02},
			Configure: func(_ int, cfg *agent.Config) { cfg.Transport = "quic" },
		})
		c.WaitLinked(t)
		servedBy(t, c.Nodes[0], 4)

		c.Nodes[3].Kill()
		servedBy(t, c.Nodes[0], 3)
		agenttest.WaitFor(t, "the links to the dead node are down", func() bool { return len(c.Nodes[0].Peers(t)) == 2 })
		if err := c.Nodes[3].Start(); err != nil {
			t.Fatal(err)
		}
		c.WaitLinked(t)
		servedBy(t, c.Nodes[0], 4)

		c.Net.Cut("10.0.0.1", "10.0.0.2")
		agenttest.WaitFor(t, "the link over the cut is down", func() bool { return len(c.Nodes[0].Peers(t)) == 2 })
		servedBy(t, c.Nodes[0], 3)
		c.Net.Heal()
		c.WaitLinked(t)
	})
}

// servedBy sends 2 s of GET requests, twice what a server can do, to n. All must
// be answered, by at least so many servers.
func servedBy(t *testing.T, n *agenttest.Node, servers int) {
	t.Helper()
	var mu sync.Mutex
	served := make(map[string]int)
	var wg sync.WaitGroup
	for range 400 {
		time.Sleep(5 * time.Millisecond)
		wg.Go(func() {
			status, body := n.Get(t, "/")
			mu.Lock()
			defer mu.Unlock()
			if served[body]++; status != http.StatusOK {
				t.Errorf("a request was answered %d %q", status, body)
			}
		})
	}
	wg.Wait()
	if len(served) < servers {
		t.Errorf("served by %v, want %d servers at least", served, servers)
	}
}

// TestUnlinkedSaysWhy holds that who has met its peers and cannot link to them
// is told why, and not to look for a seed.
func TestUnlinkedSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Nodes: 2, Configure: func(i int, cfg *agent.Config) {
			if i == 1 {
				cfg.Transport = "quic"
			}
		}})
		time.Sleep(5 * time.Second)
		for _, check := range slices.Concat(c.Nodes[0].Ready(t).Checks, c.Nodes[1].Ready(t).Checks) {
			if why := check.Detail; check.Name == "peers" && (!strings.HasPrefix(why, "none is linked; ") || !strings.Contains(why, "--transport")) {
				t.Errorf("the check says %q", why)
			}
		}
	})
}
