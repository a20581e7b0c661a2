//go:build !race

package sim

import (
	"testing"
	"time"

	"kecho/balancer/policy"
)

// run is a named scenario under a policy with copies.
func run(t *testing.T, name string, p Policy, copies policy.Copies, unbounded bool) Result {
	t.Helper()
	s, err := Named(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), Config{Scenario: s, Policy: p, Copies: copies, Unbounded: unbounded, Seconds: 120, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestCopiesThatExecute: three copies that all run collapse the cluster from .6
// up, half of the work is for nobody; cancelled at the first start they do not
// run and help; the budget keeps the rest from happening.
func TestCopiesThatExecute(t *testing.T) {
	const name = "uniform-.7"
	central := run(t, name, Central, policy.Copies{}, false)
	all := run(t, name, Race, policy.Copies{Most: 3, Cancel: policy.Never}, true)
	if all.Goodput > .5 || all.Wasted < .5 {
		t.Errorf("three copies that run: goodput %.3f, %.3f of the work wasted", all.Goodput, all.Wasted)
	}
	answer := run(t, name, Race, policy.Copies{Most: 3}, true)
	if answer.Goodput < all.Goodput+.1 || answer.Goodput > .65 || answer.Wasted < .3 {
		t.Errorf("ended by the answer: goodput %.3f, wasted %.3f", answer.Goodput, answer.Wasted)
	}
	start := run(t, name, Race, policy.Copies{Most: 3, Cancel: policy.OnStart}, true)
	if start.Goodput < .69 || start.P99 > 1.15*central.P99 || start.Wasted > .01 {
		t.Errorf("ended by the start: %+v", start)
	}
	if r := run(t, name, Race, policy.Copies{Most: 3}, false); r.Goodput < .69 || r.Refused > .001 {
		t.Errorf("with the budget: %+v", r)
	}
}

// TestSpeculative: the best p99 of all, for three bodies a request.
func TestSpeculative(t *testing.T) {
	for _, name := range some(1, "uniform-.8", "hot-4x") {
		central, auto := simulate(t, name, Central, 120), simulate(t, name, Auto, 120)
		r := simulate(t, name, Speculative, 120)
		if r.P99 > 1.08*central.P99 || r.P99 > 1.01*auto.P99 || r.Bodies < 2.5 || r.Bodies > 4 || r.Wasted > .02 || r.Refused+r.Failed+r.Late > 0 {
			t.Errorf("%s: p99 %.3f x the central queue's, %+v", name, r.P99/central.P99, r)
		}
	}
}

// TestHedging: it helps where servers hiccup, and does next to nothing where it
// is the request that takes long.
func TestHedging(t *testing.T) {
	if auto, r := simulate(t, "hiccups", Auto, 120), simulate(t, "hiccups", Hedge, 120); r.P99 > .6*auto.P99 || r.Backups > .08 {
		t.Errorf("hiccups: p99 %.2f x, %+v", r.P99/auto.P99, r)
	}
	for _, name := range some(1, "lognormal-.8", "uniform-.8", "bimodal-.8") {
		auto, r := simulate(t, name, Auto, 120), simulate(t, name, Hedge, 120)
		if r.P99 > 1.08*auto.P99 || r.Wasted > .02 || r.Refused+r.Late > 0 {
			t.Errorf("%s: p99 %.2f x, %+v", name, r.P99/auto.P99, r)
		}
	}
}

// TestPaperCopies: to how many servers the paper's policy sends a request makes
// no difference to its time, only to the work.
func TestPaperCopies(t *testing.T) {
	one := run(t, "paper-50", Paper, policy.Copies{}, true)
	three := run(t, "paper-50", Paper, policy.Copies{Most: 3, Cancel: policy.Never}, true)
	if ratio := three.Mean / one.Mean; ratio < .95 || ratio > 1.05 || one.Twice > 0 || three.Moved < 1.8*one.Moved {
		t.Errorf("one copy %.0f ms, three %.0f ms; begun at peers %.2f and %.2f a request", one.Mean, three.Mean, one.Moved, three.Moved)
	}
}

// TestWasted: of copies that all run the work on one is for somebody, also where
// several end within the time of a message.
func TestWasted(t *testing.T) {
	s := Scenario{Name: "wasted", Base: .3, Dist: Fixed}
	cfg := Config{Scenario: s, Policy: Race, Copies: policy.Copies{Most: 3, Cancel: policy.Never}, Unbounded: true, Seconds: 20}
	cfg.defaults()
	w := &world{cfg: cfg, clients: newSource(cfg), faults: stream(cfg.Seed, "faults"), until: cfg.length() + 2*cfg.Timeout}
	if err := w.run(t.Context(), newCores(w)); err != nil {
		t.Fatal(err)
	}
	answered := len(w.latencies) - w.late
	if got, want := w.work-w.wasted, time.Duration(answered)*cfg.Scenario.Service; got != want || answered < 1000 {
		t.Errorf("%v of %v of work were for somebody; %d were answered, that is %v", got, w.work, answered, want)
	}
}

// TestNone: a node that nobody helps refuses nobody: who does not wait for long
// enough is served for nothing, or late.
func TestNone(t *testing.T) {
	for _, name := range []string{"hot-6x", "overload-2.5"} {
		if r := simulate(t, name, None, 60); r.Refused > 0 || r.Late < .75 || r.Wasted < .4 {
			t.Errorf("%s: %.3f refused, %.3f late, %.3f of the work for nobody", name, r.Refused, r.Late, r.Wasted)
		}
	}
}
