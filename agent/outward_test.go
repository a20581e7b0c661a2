package agent_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent"
	"kecho/agent/agenttest"
	"kecho/agent/api"
	"kecho/agent/orca"
)

// checkLine asks the node's agent check, as HAProxy does; what it sends
// (agent-send) is not read.
func checkLine(t *testing.T, c *agenttest.Cluster, n *agenttest.Node, sent string) string {
	t.Helper()
	conn, err := c.Net.Host("10.0.0.9").Dial(t.Context(), "tcp", n.At.AgentCheck)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, sent); err != nil {
		t.Error(err)
	}
	line, err := io.ReadAll(conn)
	if err != nil {
		t.Error(err)
	}
	return string(line)
}

// weight is the per cent of "up ready 62%".
func weight(t *testing.T, line string) int {
	t.Helper()
	text, ok := strings.CutPrefix(strings.TrimSuffix(line, "%\n"), "up ready ")
	n, err := strconv.Atoi(text)
	if !ok || err != nil || n < 1 || n > 100 {
		t.Errorf("line %q", line)
	}
	return n
}

func TestAgentCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		machine := &busy{}
		c := agenttest.Start(t, agenttest.Config{Nodes: 2, Work: 20 * time.Second, Configure: func(i int, cfg *agent.Config) {
			cfg.DrainDelay = 5 * time.Second
			cfg.Overflow = "cpu > 0.9 cancel < 0.5"
			if i == 0 {
				cfg.AgentCheck, cfg.Host = "10.0.0.1:7950", machine
			}
		}})
		c.WaitLinked(t)
		web1 := c.Nodes[0]
		line := func() string { return checkLine(t, c, web1, "backend/web1\n") }
		time.Sleep(2 * time.Second)
		if w := weight(t, line()); w < 98 {
			t.Errorf("idle: %d %%", w)
		}
		machine.set(0.4)
		time.Sleep(2 * time.Second)
		if w := weight(t, line()); w != 60 {
			t.Errorf("with 40 %% of its CPUs busy: %d %%", w)
		}
		utilization := 0.75
		if _, err := web1.API(t).SetGauge(t.Context(), "app.utilization", api.GaugeValue{Value: &utilization, TTL: "2s"}); err != nil {
			t.Fatal(err)
		}
		if w := weight(t, line()); w != 25 {
			t.Errorf("with 75 %% of its application busy: %d %%", w)
		}
		time.Sleep(3 * time.Second)
		var wg sync.WaitGroup
		for range 2 { // of 4 places
			wg.Go(func() { web1.Get(t, "/") })
		}
		time.Sleep(500 * time.Millisecond)
		if w := weight(t, line()); w < 55 || w > 60 {
			t.Errorf("a moment after half of its places were taken: %d %%", w)
		}
		time.Sleep(8 * time.Second)
		if w := weight(t, line()); w < 50 || w > 52 {
			t.Errorf("with half of its places taken: %d %%", w)
		}
		machine.set(0.95)
		time.Sleep(2 * time.Second)
		if w := weight(t, line()); w != 1 {
			t.Errorf("while it has others do what comes: %d %%", w)
		}
		wg.Wait()
		machine.set(0.1)
		if err := c.Nodes[1].Stop(); err != nil {
			t.Error(err)
		}
		if err := web1.StopWeb(); err != nil {
			t.Error(err)
		}
		res, err := web1.Do("GET", "/", nil) // it finds out now
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := line(); got != "down\n" {
			t.Errorf("when its web server is away: %q", got)
		}
		if err := web1.StartWeb(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		weight(t, line())
		stopped := make(chan error, 1)
		at := *web1
		go func() { stopped <- web1.Stop() }()
		time.Sleep(time.Second)
		if got := checkLine(t, c, &at, ""); got != "drain\n" {
			t.Errorf("while it drains: %q", got)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// TestORCA has answers say how busy their node is, in place of what the web
// server said.
func TestORCA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		machine := &busy{}
		machine.set(0.5)
		c := agenttest.Start(t, agenttest.Config{
			Nodes: 1,
			Handler: func(int) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("endpoint-load-metrics", "TEXT application_utilization=0.75")
				})
			},
			Configure: func(_ int, cfg *agent.Config) { cfg.ORCA, cfg.Host = true, machine },
		})
		var last string
		time.Sleep(50 * time.Millisecond) // else one in ten comes with the tick that counts, and before or after it by chance
		for range 40 {
			res, err := c.Nodes[0].Do("GET", "/", nil)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if all := res.Header.Values("endpoint-load-metrics"); len(all) > 1 {
				t.Errorf("%d reports on one answer: %q", len(all), all)
			}
			last = res.Header.Get("endpoint-load-metrics")
			time.Sleep(100 * time.Millisecond)
		}
		if last != "TEXT cpu_utilization=0.500,application_utilization=0.750,rps_fractional=10.000,eps=0.000" {
			t.Error(last)
		}
		if _, err := orca.Parse(last); err != nil {
			t.Error(err)
		}
	})
}
