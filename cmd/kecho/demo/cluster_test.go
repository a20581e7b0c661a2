package demo_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent"
	"kecho/channel/memnet"
	"kecho/channel/registry"
	"kecho/cmd/kecho/demo"
)

// network is a loopback in memory.
type network struct{ *memnet.Host }

func (n network) Gossip(cfg *registry.Config) error {
	transport, err := n.Transport(cfg.Bind)
	if err == nil {
		cfg.Transport = transport
	}
	return err
}

func loopback() agent.Network { return network{memnet.New(memnet.Config{}).Host("127.0.0.1")} }

// The end of the bubble is the check that nothing is left running.
func TestClusterSharesOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster, err := demo.NewCluster(demo.ClusterConfig{Slow: 1, Duration: 2 * time.Second, Network: loopback()})
		if err != nil {
			t.Fatal(err)
		}
		report, err := cluster.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Phases) != 2 || report.Phases[0].Balancing || !report.Phases[1].Balancing {
			t.Fatalf("%+v, want a phase without balancing and one with", report.Phases)
		}
		alone, joined := report.Phases[0], report.Phases[1]
		if len(alone.ServedBy) != 1 || alone.ServedBy["web1"] == 0 {
			t.Errorf("without balancing: served by %v, want web1 only", alone.ServedBy)
		}
		for _, s := range joined.Servers {
			if s.Served == 0 || s.Slow != (s.Name == "web2") {
				t.Errorf("with balancing: %+v", s)
			}
		}
		// 200 requests a second for a server that can do 105. Time is the
		// bubble's, so these are figures of the design and not of the machine.
		if alone.Errors < alone.Sent/3 {
			t.Errorf("without balancing %d of %d failed, want near half", alone.Errors, alone.Sent)
		}
		if joined.Errors > joined.Sent/100 {
			t.Errorf("with balancing %d of %d failed", joined.Errors, joined.Sent)
		}
	})
}

func TestClusterStopsWhenToldTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		cluster, err := demo.NewCluster(demo.ClusterConfig{
			Nodes: 2, Duration: time.Hour, Network: loopback(),
			Progress: func(phase string, p *demo.Progress) {
				seen = append(seen, phase)
				if p != nil {
					cancel(enough)
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cluster.Run(ctx); !errors.Is(err, enough) {
			t.Errorf("%v, want the context's cause", err)
		}
		if len(seen) < 3 || seen[0] != "without balancing: starting" {
			t.Errorf("progress: %q", seen)
		}
	})
}

// deaf is a network on which nobody reaches anybody, but can listen.
type deaf struct{ agent.Network }

func (deaf) Gossip(*registry.Config) error { return errors.New("no gossip here") }

func TestClusterThatCannotStartEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster, err := demo.NewCluster(demo.ClusterConfig{Network: deaf{loopback()}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = cluster.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "agent web1: no gossip here") {
			t.Errorf("%v, want what the agent said", err)
		}
	})
}

func TestNewClusterRefuses(t *testing.T) {
	for want, cfg := range map[string]demo.ClusterConfig{
		"--nodes":    {Nodes: 33},
		"--slow":     {Nodes: 2, Slow: 2},
		"--workers":  {Workers: -1},
		"--work":     {Work: -1},
		"--rate":     {Rate: 1e9},
		"--duration": {Duration: -1},
	} {
		if _, err := demo.NewCluster(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want one about %s", err, want)
		}
	}
}
