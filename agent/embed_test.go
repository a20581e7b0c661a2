package agent_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"kecho/agent"
	"kecho/agent/agenttest"
)

func embedded(_ int, cfg *agent.Config) {
	cfg.Embedded, cfg.Upstream, cfg.Listen = true, "", ""
}

// TestEmbedded: web servers with agents in them share what is too much for one,
// and each serves by itself when its agent has ended.
func TestEmbedded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Nodes: 3, Configure: embedded})
		c.WaitLinked(t)
		if servers := getMany(t, c.Nodes[0], 12); len(servers) != 3 || servers["web1"] != 4 {
			t.Errorf("12 requests at once were served by %v: want 4 here and the others by peers", servers)
		}
		node := c.Nodes[0].Describe(t)
		if node.Upstream.URL != "this program" || !node.Upstream.Up || node.Addresses.HTTP != "" || node.Counters["requests_local"] != 4 {
			t.Errorf("the node describes itself as %+v", node)
		}
		if n := node.Connections; n.Most != 0 || n.PerAddress != 0 {
			t.Errorf("it says of connections, which are its program's: %+v", n)
		}
		if r := c.Nodes[0].Ready(t); !r.Ready {
			t.Errorf("it is not ready: %+v", r)
		}
	})
}

func TestEmbeddedNeedsMiddleware(t *testing.T) {
	a, err := agent.New(agent.Config{Name: "web1", Embedded: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "Middleware was not called") {
		t.Errorf("Run without Middleware: %v", err)
	}
	served := false
	h := a.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served = true }))
	h.ServeHTTP(nil, nil)
	if !served {
		t.Error("before Run the handler is not called")
	}
	for what, wrong := range map[string]func(){
		"called twice": func() { a.Middleware(h) },
		"an agent before a server": func() {
			a, _ := agent.New(agent.Config{Name: "web1", Upstream: "http://127.0.0.1:9000"})
			a.Middleware(h)
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", what)
				}
			}()
			wrong()
		}()
	}
}
