package agent_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent"
	"kecho/agent/agenttest"
)

// TestHealthPath: a web server that says that it cannot serve is given nothing,
// a peer serves in its place, and where one looks it says why.
func TestHealthPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ill atomic.Bool
		c := agenttest.Start(t, agenttest.Config{Nodes: 2, Configure: func(i int, cfg *agent.Config) {
			cfg.Health.Path = "/health"
		}, Handler: func(i int) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/health" && i == 0 && ill.Load() {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				_, _ = io.WriteString(w, string(rune('1'+i)))
			})
		}})
		c.WaitLinked(t)
		web1 := c.Nodes[0]
		for _, step := range []struct {
			ill   bool
			by    string
			check string
		}{
			{false, "1", "upstream "},
			{true, "2", "upstream http://10.0.0.1:9000 cannot be used; peers that can take its requests: 1; GET /health: it answered 503"},
			{false, "1", "upstream "},
		} {
			ill.Store(step.ill)
			time.Sleep(5 * time.Second)
			if status, body := web1.Get(t, "/"); status != 200 || body != step.by {
				t.Errorf("ill %v: %d by %q, want %q", step.ill, status, body, step.by)
			}
			var checks []string
			for _, check := range web1.Ready(t).Checks {
				checks = append(checks, check.Name+" "+check.Detail)
			}
			if all := strings.Join(checks, "\n"); !strings.Contains(all+"\n", step.check+"\n") {
				t.Errorf("ill %v: %s", step.ill, all)
			}
		}
	})
}
