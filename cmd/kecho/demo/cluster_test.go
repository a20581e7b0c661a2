package demo_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"kecho/cmd/kecho/demo"
)

// Real sockets and real time: what runs here is what a user runs. Nothing is
// asserted about how fast it is, only about who served and what is left.
func TestClusterSharesOverflowAndLeavesNothing(t *testing.T) {
	cluster, err := demo.NewCluster(demo.ClusterConfig{Nodes: 3, Slow: 1, Duration: 2 * time.Second})
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
	checkNothingRuns(t)
}

func TestClusterStopsWhenToldTo(t *testing.T) {
	var seen []string
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cluster, err := demo.NewCluster(demo.ClusterConfig{Nodes: 2, Duration: time.Hour, Progress: func(phase string, p *demo.Progress) {
		seen = append(seen, phase)
		if p != nil {
			cancel(enough)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cluster.Run(ctx); !errors.Is(err, enough) {
		t.Errorf("%v, want the context's cause", err)
	}
	if len(seen) < 3 || seen[0] != "without balancing: starting" {
		t.Errorf("progress: %q", seen)
	}
	checkNothingRuns(t)
}

// checkNothingRuns looks for goroutines of ours other than the test's.
func checkNothingRuns(t *testing.T) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for g := range bytes.SplitSeq(buf[:runtime.Stack(buf, true)], []byte("\n\n")) {
		stack := string(g)
		if strings.Contains(stack, "kecho/") && !strings.Contains(stack, "testing.tRunner") && !strings.Contains(stack, "testing.(*T)") {
			t.Errorf("it still runs:\n%s", stack)
		}
	}
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
