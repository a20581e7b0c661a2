package main

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kecho/agent/api"
)

func statusNode() api.Node {
	cpu := 0.92
	return api.Node{
		Name: "web1", ID: "00000000000000ab", Cluster: "shop", Version: "v1.2.3",
		Started:     time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local),
		State:       api.Ready,
		Addresses:   api.Addresses{HTTP: "127.0.0.1:8080", Admin: "127.0.0.1:7940", Gossip: "127.0.0.1:7946", Link: "127.0.0.1:7947"},
		Upstream:    api.Upstream{URL: "http://127.0.0.1:9000"},
		Limits:      api.Limits{Soft: 8, Hard: 32, Queue: 128},
		Load:        api.Load{Running: 6, Queued: 1, Load: 0.875, CPU: &cpu},
		Connections: api.Connections{Open: 12, Busy: 3, Most: 9744, Limited: map[string]int64{"room": 4, "files": 0}},
		Counters:    map[string]int64{"moves_offer": 8, "moves_grant": 2, "moves_push": 1, "moves_claim": 4, "moves_refusal": 3, "ejections": 5},
	}
}

func TestStatus(t *testing.T) {
	addr := agentOf(t, api.Config{
		Node: statusNode,
		Ready: func() []api.Check {
			return []api.Check{{Name: "http", OK: true, Detail: "127.0.0.1:8080"}, {Name: "upstream", Detail: "connection refused"}}
		},
	})
	want := `
web1            ready
cluster         shop
version         v1.2.3
started         2026-01-02 03:04:05
upstream        http://127.0.0.1:9000 is down
listens         http 127.0.0.1:8080, admin 127.0.0.1:7940, gossip 127.0.0.1:7946, link 127.0.0.1:7947
limits          soft 8, hard 32, queue 128
load            0.88: 6 running, 1 queued
clients         12 connections, 3 busy, of 9744 at most; 4 closed for others
moves           8 offers, 2 granted, 1 pushed; 4 claims, 3 refused; 5 ejections
machine         cpu 0.92 and memory - in use
check http      ok 127.0.0.1:8080
check upstream  failed connection refused
`
	code, out, errs := kecho(t, "status", "--api", addr)
	if d := cmp.Diff(want, "\n"+out); d != "" {
		t.Error(d)
	}
	if code != 69 || errs != "kecho: not ready: upstream: connection refused\n" {
		t.Errorf("exit %d, stderr %q", code, errs)
	}
}

// TestStatusEmbedded: an agent that is part of a program says nothing of limits
// that are not its own.
func TestStatusEmbedded(t *testing.T) {
	addr := agentOf(t, api.Config{
		Node: func() api.Node {
			n := statusNode()
			n.Addresses.HTTP, n.Connections = "", api.Connections{}
			return n
		},
		Ready: func() []api.Check { return nil },
	})
	_, out, _ := kecho(t, "status", "--api", addr)
	for _, want := range []string{"listens   http by the program itself, ", "clients   connections of the program itself\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in %s", want, out)
		}
	}
}

func TestStatusAsJSON(t *testing.T) {
	addr := agentOf(t, api.Config{Node: statusNode})
	code, out, errs := kecho(t, "status", "--api", addr, "--output", "json")
	if code != 0 || errs != "" || !strings.Contains(out, `"ready": true`) || !strings.Contains(out, `"cluster": "shop"`) {
		t.Errorf("exit %d, stderr %q, %s", code, errs, out)
	}
}

func TestStatusWaits(t *testing.T) {
	var asked atomic.Int64
	addr := agentOf(t, api.Config{
		Node:  statusNode,
		Ready: func() []api.Check { return []api.Check{{Name: "gossip", OK: asked.Add(1) > 2, Detail: "not joined"}} },
	})
	if code, _, errs := kecho(t, "status", "--wait", "ready", "--api", addr); code != 0 {
		t.Errorf("exit %d, stderr %q", code, errs)
	}
	if n := asked.Load(); n < 3 {
		t.Errorf("ready after %d questions, want 3", n)
	}
	asked.Store(-1e9)
	code, _, errs := kecho(t, "status", "--wait", "ready", "--timeout", "250ms", "--api", addr)
	if code != 124 || errs != "kecho: not ready in time: gossip: not joined\n" {
		t.Errorf("exit %d, stderr %q", code, errs)
	}
}
