package agent_test

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent"
	"kecho/agent/agenttest"
	"kecho/resmgr/monitor/host"
)

// busy is a machine whose CPU share the test sets, NaN when it cannot be read.
// The share is the container's: the machine is idle.
type busy struct{ cpu atomic.Uint64 }

func (b *busy) set(share float64) { b.cpu.Store(math.Float64bits(share)) }

func (b *busy) Read(context.Context) (host.Sample, error) {
	share := math.Float64frombits(b.cpu.Load())
	s := host.Sample{CPU: 0.01, HasCPU: true, At: time.Now()}
	if math.IsNaN(share) {
		s.HasCPU = false
	} else {
		s.Container = host.Container{CPU: share, HasCPU: true}
	}
	return s, nil
}

func (*busy) Size(context.Context) host.Size { return host.Size{CPUs: 4, Memory: 8 << 30} }

var _ agent.HostFeed = (*busy)(nil)

// TestOverflowByLoad has a machine at its limit although none of its places is
// taken: its requests go to the peer, until that has the same trouble, or until
// it is over.
func TestOverflowByLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		machines := []*busy{{}, {}}
		c := agenttest.Start(t, agenttest.Config{Nodes: 2, Configure: func(i int, cfg *agent.Config) {
			cfg.Host, cfg.Overflow = machines[i], "cpu > 0.85 cancel < 0.7, memory > 0.9 cancel < 0.8"
			if i == 0 {
				cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			}
		}})
		c.WaitLinked(t)
		web1, web2 := c.Nodes[0], c.Nodes[1]
		served := func(want, when string) {
			t.Helper()
			time.Sleep(2 * time.Second) // two readings
			if status, body := web1.Get(t, "/"); status != 200 || body != want {
				t.Errorf("%s: %d by %q, want %s", when, status, body, want)
			}
		}
		served("web1", "idle")
		machines[0].set(0.9)
		served("web2", "above the condition")
		if detail := overflowDetail(t, web1); !strings.Contains(detail, "raised by cpu > 0.85 cancel < 0.7: ") || strings.Contains(detail, "memory") {
			t.Errorf("readiness says %q", detail)
		}
		if m := web2.Member(t, "web1"); m.Capacity != 0 {
			t.Errorf("web2 believes in %d places of web1", m.Capacity)
		}
		machines[0].set(0.75)
		served("web2", "not yet cancelled")
		machines[1].set(0.9)
		served("web1", "both above")
		machines[1].set(math.NaN())
		served("web2", "what cannot be read is not above")
		machines[0].set(0.69)
		served("web1", "cancelled")
		if detail := overflowDetail(t, web1); detail != "not raised" {
			t.Errorf("readiness says %q", detail)
		}
		if s := log.String(); strings.Count(s, "overflow is raised") != 1 || strings.Count(s, "overflow is cancelled") != 1 {
			t.Errorf("the log does not tell of each once:\n%s", s)
		}
	})
}

func overflowDetail(t *testing.T, n *agenttest.Node) string {
	t.Helper()
	for _, check := range n.Ready(t).Checks {
		if check.Name == "overflow" {
			if !check.OK {
				t.Error("overflow makes the agent not ready")
			}
			return check.Detail
		}
	}
	return "nothing"
}
