package agent_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent"
	"kecho/agent/agenttest"
	"kecho/agent/api"
)

// leasesCheck is what a node's readiness says of leases.
func leasesCheck(t *testing.T, n *agenttest.Node) string {
	t.Helper()
	r := n.Ready(t)
	for _, c := range r.Checks {
		if c.Name == "leases" {
			if !c.OK || !r.Ready {
				t.Errorf("%s is not ready: %+v", n.Name, r)
			}
			return c.Detail
		}
	}
	t.Fatalf("%s: no check of leases: %+v", n.Name, r)
	return ""
}

// TestLeases has leases of three nodes, of which one leaves and one dies: the
// holders hear of it where they asked.
func TestLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Configure: func(i int, cfg *agent.Config) {
			cfg.Resources = [][]string{{"none"}, {"gpu=2"}, {"cpu=1, gpu=1"}}[i]
			cfg.Tags = []string{"zone=" + string(rune('a'+i))}
		}})
		c.WaitLinked(t)
		time.Sleep(2 * time.Second)
		web1 := c.Nodes[0].API(t)
		var mu sync.Mutex
		var heard []string
		go web1.Events(context.Background(), "", []string{api.EventLease}, func(e api.Event) error {
			var change api.LeaseChange
			if err := json.Unmarshal(e.Data, &change); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, change.Lease.Node+" "+change.Change)
			return nil
		})
		time.Sleep(time.Second)
		offers, err := web1.Offers(t.Context(), api.LeaseRequest{Holder: "h", Needs: "mem=1Gi", Selector: "zone=b"})
		if err != nil || len(offers.Items) != 1 || offers.Items[0].Node != "web2" || offers.Items[0].Capacity["mem"] != 8<<30 || offers.Items[0].Tags["node"] != "web2" {
			t.Errorf("offers %+v, %v", offers, err)
		}
		if _, err := web1.RequestLease(t.Context(), api.LeaseRequest{Holder: "h", Needs: "gpu=1", Nodes: 2, TTL: "10m"}); err != nil {
			t.Fatal(err)
		}
		if got := leasesCheck(t, c.Nodes[2]); !strings.HasPrefix(got, "1 given; cpu=1,gpu=0,mem=8Gi free; forgotten at a restart") {
			t.Errorf("web3 says %q", got)
		}
		if got := leasesCheck(t, c.Nodes[0]); got != "this node has nothing to give" {
			t.Errorf("web1 says %q", got)
		}
		if err := c.Nodes[1].Stop(); err != nil {
			t.Error(err)
		}
		c.Nodes[2].Kill()
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		got := strings.Join(heard, ", ")
		for _, want := range []string{"web2 granted", "web3 granted", "web2 ended", "web3 lost"} {
			if !strings.Contains(got, want) {
				t.Errorf("heard %s, without %s", got, want)
			}
		}
	})
}

// TestLeasesAreKept restarts a node that keeps its leases, and then one whose
// journal was damaged: that one serves, and asks others, and gives nothing.
func TestLeasesAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "state")
		c := agenttest.Start(t, agenttest.Config{Nodes: 2, Configure: func(i int, cfg *agent.Config) {
			cfg.Resources = []string{"none", "gpu=1"}
			cfg.Ephemeral = i == 0
			if i == 1 {
				cfg.StateDir = dir
			}
		}})
		c.WaitLinked(t)
		time.Sleep(2 * time.Second)
		web1, web2 := c.Nodes[0], c.Nodes[1]
		if _, err := web1.API(t).RequestLease(t.Context(), api.LeaseRequest{Holder: "h", Needs: "gpu=1", Selector: "node=web2", TTL: "10m"}); err != nil {
			t.Fatal(err)
		}
		restart := func() {
			t.Helper()
			if err := web2.Stop(); err != nil {
				t.Error(err)
			}
			if err := web2.Start(); err != nil {
				t.Fatal(err)
			}
			c.WaitLinked(t)
			time.Sleep(2 * time.Second)
		}
		restart()
		if got := leasesCheck(t, web2); got != "1 given; gpu=0 free" {
			t.Errorf("after a restart: %q", got)
		}
		if l, err := web1.API(t).Renew(t.Context(), "web2:1", api.LeaseRenewal{Holder: "h"}); err != nil || l.TTL != "10m0s" {
			t.Errorf("renewed after a restart: %+v, %v", l, err)
		}
		if err := os.WriteFile(filepath.Join(dir, "leases.db"), []byte(strings.Repeat("no journal", 5000)), 0o600); err == nil {
			restart()
		}
		if got := leasesCheck(t, web2); !strings.HasPrefix(got, "this node gives none: the journal of leases is damaged: ") {
			t.Errorf("with a damaged journal: %q", got)
		}
		if status, _ := web2.Get(t, "/"); status != 200 {
			t.Errorf("with a damaged journal a request has %d", status)
		}
		if g, err := web2.API(t).RequestLease(t.Context(), api.LeaseRequest{Holder: "h", Needs: "gpu=1"}); err != nil || g.Leases[0].Node != "web1" {
			t.Errorf("asked through the node with the damaged journal: %+v, %v", g, err)
		}
	})
}

// TestFencesRiseWithoutJournal restarts a node that keeps nothing, where nobody
// remembers what it gave.
func TestFencesRiseWithoutJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Nodes: 1, Configure: func(_ int, cfg *agent.Config) {
			cfg.Resources, cfg.Ephemeral = []string{"none", "gpu=1"}, true
		}})
		var last uint64
		for range 3 {
			time.Sleep(2 * time.Second)
			got, err := c.Nodes[0].API(t).RequestLease(t.Context(), api.LeaseRequest{Holder: "h", Needs: "gpu=1", TTL: "1h"})
			if err != nil {
				t.Fatal(err)
			}
			if fence := got.Leases[0].Fence; fence <= last {
				t.Errorf("fence %d after %d", fence, last)
			} else {
				last = fence
			}
			c.Nodes[0].Kill()
			if err := c.Nodes[0].Start(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestLeaseConfig(t *testing.T) {
	for _, tt := range []struct {
		change func(*agent.Config)
		want   string
	}{
		{func(c *agent.Config) { c.Resources = []string{"gpu=1", "camera=-1"} }, `--resource "gpu=1,camera=-1", column 14: camera is "-1": it is negative`},
		{func(c *agent.Config) { c.Resources = []string{"gpu"} }, `--resource "gpu", column 4: `},
		{func(c *agent.Config) { c.Resources = []string{"gpu=1", "gpu=2"} }, "gpu stands here twice"},
		{func(c *agent.Config) { c.Tags = []string{"zone=a b"} }, `--tag: tag zone="a b": want a value of`},
		{func(c *agent.Config) { c.Tags = []string{"=a"} }, `--tag: tag "": want a name`},
		{func(c *agent.Config) { c.StateDir, c.Ephemeral = "/x", true }, "--state-dir /x and --ephemeral: "},
		{func(c *agent.Config) { c.StateDir = "x" }, `--state-dir "x": want a directory's path from the root`},
	} {
		cfg := agent.Config{Name: "web1", Upstream: "http://127.0.0.1:9000"}
		tt.change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
}
