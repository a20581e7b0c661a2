package agent_test

import (
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent"
	"kecho/agent/agenttest"
	"kecho/agent/api"
)

// TestOverflowWhileRunning has thresholds set, crossed and taken away over the
// API, on a gauge that the application sets: requests go to the peer while one
// is raised.
func TestOverflowWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Nodes: 2, Configure: func(i int, cfg *agent.Config) {
			cfg.Thresholds = []string{"app.utilization > 0.9 cancel < 0.7 do overflow"}
		}})
		c.WaitLinked(t)
		web1, asked := c.Nodes[0], c.Nodes[0].API(t)
		served := func(want, when string) {
			t.Helper()
			time.Sleep(200 * time.Millisecond)
			if status, body := web1.Get(t, "/"); status != 200 || body != want {
				t.Errorf("%s: %d by %q, want %s", when, status, body, want)
			}
		}
		set := func(name string, v float64, ttl string) {
			t.Helper()
			if _, err := asked.SetGauge(t.Context(), name, api.GaugeValue{Value: &v, TTL: ttl}); err != nil {
				t.Fatal(err)
			}
		}
		served("web1", "absent")
		set("app.utilization", 0.95, "10s")
		served("web2", "above")
		time.Sleep(10 * time.Second)
		served("web1", "its time is over")
		n, err := asked.Watch(t.Context(), api.NewThreshold{
			Condition: "rate(app.queue{item=mail}, 4s) > 10 cancel < 1", Actions: api.Actions{Overflow: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		set("app.queue{item=mail}", 0, "1h")
		time.Sleep(time.Second)
		set("app.queue{item=mail}", 100, "1h")
		served("web2", "rising fast")
		if detail := overflowDetail(t, web1); detail != "raised by rate(app.queue{item=mail}, 4s) > 10 cancel < 1: requests go to peers that have room" {
			t.Errorf("readiness says %q", detail)
		}
		if err := asked.Unwatch(t.Context(), "app.queue{item=mail}", n.ID); err != nil {
			t.Fatal(err)
		}
		served("web1", "taken away")
	})
}
