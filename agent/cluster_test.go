package agent_test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent/agenttest"
)

// TestSixteen is a cluster's life: sixteen nodes meet, share overflow, lose
// one, and end; the bubble holds that nothing is left.
func TestSixteen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Nodes: 16})
		c.WaitLinked(t)
		servers := getMany(t, c.Nodes[0], 32)
		if len(servers) < 4 {
			t.Errorf("32 requests at once were served by %v: want several nodes", servers)
		}
		dead := c.Nodes[7]
		dead.Kill()
		agenttest.WaitFor(t, "the dead node's links are down", func() bool {
			for _, n := range c.Nodes {
				if n != dead && len(n.Peers(t)) != 14 {
					return false
				}
			}
			return true
		})
		if servers := getMany(t, c.Nodes[0], 32); servers[dead.Name] > 0 {
			t.Errorf("a dead node served: %v", servers)
		}
		began := time.Now()
		if err := dead.Start(); err != nil {
			t.Fatalf("start %s again: %v", dead.Name, err)
		}
		c.WaitLinked(t)
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("the restarted node was linked with all after %v, want 3 s at most", took)
		}
	})
}

// getMany sends n requests at once and counts who served them.
func getMany(t *testing.T, node *agenttest.Node, n int) map[string]int {
	t.Helper()
	var mu sync.Mutex
	servers := make(map[string]int)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			status, body := node.Get(t, "/")
			if status != http.StatusOK {
				t.Errorf("status %d: %s", status, body)
			}
			mu.Lock()
			servers[body]++
			mu.Unlock()
		})
	}
	wg.Wait()
	return servers
}
