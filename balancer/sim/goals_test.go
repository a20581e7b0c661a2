//go:build !race

package sim

import (
	"math"
	"testing"
	"time"
)

// Nothing in a run is concurrent, and under the race detector these would take
// most of a minute.

// TestGoals holds the core to the goals of docs/sim.md, with as much slack as so short a
// run needs: 120 s are 20,000 requests, the table was made with more.
func TestGoals(t *testing.T) {
	for name, most := range map[string]float64{
		"uniform-.5": 1.10, "uniform-.8": 1.12, "uniform-.9": 1.25, "uniform-.95": 1.25,
		"hot-4x": 1.10, "hot-6x": 1.25, "three-hot": 1.25, "zipf-.8": 1.12, "flash": 1.12, "slow-node": 1.15,
		"mixed": 1.25, "death": 1.10, "lognormal-.8": 1.15, "bimodal-.8": 1.12, "fixed-.9": 1.25,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			central, ours := simulate(t, name, Central, 120), simulate(t, name, Auto, 120)
			if got := ours.P99 / central.P99; got > most {
				t.Errorf("p99 is %.3f x the central queue's, want at most %.2f", got, most)
			}
			if ours.Control > 8.2 || ours.P999 > 1.3*central.P999 {
				t.Errorf("%.1f control messages a request, want at most 8.2; p99.9 is %.3f x the central queue's, want at most 1.3",
					ours.Control, ours.P999/central.P999)
			}
			if ours.Requests < 1000 || ours.Twice > ours.Requests/1000 || ours.Refused > .002 || ours.Wasted > .002 {
				t.Errorf("not an honest ratio: %+v", ours)
			}
		})
	}
}

// TestHelpers: the clients of nodes that carry another's hot spot have the p99
// that they have without it, or little more.
func TestHelpers(t *testing.T) {
	alone, ours := simulate(t, "hot-6x", None, 200), simulate(t, "hot-6x", Auto, 200)
	if got := ours.ColdP99 / alone.ColdP99; got > 1.12 {
		t.Errorf("their p99 is %.3f x what it is alone, want at most 1.12", got)
	}
}

// TestChoice: of services that are short beside a message, auto is as good as
// the better of offers and pushes, or nearly.
func TestChoice(t *testing.T) {
	for name, s := range map[string]Scenario{
		"5 ms, uneven":      {Base: .8, Service: 5 * time.Millisecond, Dist: Lognormal},
		"5 ms, uneven, hot": {Base: .25, Hot: 1, HotAt: 4, Service: 5 * time.Millisecond, Dist: Bimodal},
		"5 ms, hot":         {Base: .25, Hot: 1, HotAt: 4, Service: 5 * time.Millisecond},
		"1 ms, 8 places":    {Base: .25, Hot: 1, HotAt: 4, Service: time.Millisecond, Places: 8},
	} {
		if !nightly && name != "5 ms, hot" && name != "5 ms, uneven" {
			continue
		}
		seconds := 16 * s.Service.Seconds() / .005 / float64(max(s.Places, 1))
		p99 := map[Policy]float64{}
		for _, p := range []Policy{Central, Offers, Push, Auto} {
			r, err := Run(t.Context(), Config{Scenario: s, Policy: p, Seconds: seconds, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			p99[p] = r.P99
		}
		best := min(p99[Offers], p99[Push])
		if over := (p99[Auto] - best) / p99[Central]; over > .10 {
			t.Errorf("%s: auto has %.2f x the central queue's p99, %.2f more than the better of both", name, p99[Auto]/p99[Central], over)
		}
	}
}

// TestTheory: one node alone is M/M/1, all together M/M/8.
func TestTheory(t *testing.T) {
	s := Scenario{Name: "one", Base: .5}
	r, err := Run(t.Context(), Config{Scenario: s, Policy: None, Nodes: 1, Seconds: 4000})
	if err != nil {
		t.Fatal(err)
	}
	if want := 76.0; math.Abs(r.Mean-want) > 3 {
		t.Errorf("M/M/1 at .5 answers in %.1f ms, want %.1f", r.Mean, want)
	}
	if want := 76 * math.Log(100); math.Abs(r.P99-want) > 20 {
		t.Errorf("its p99 is %.1f ms, want %.1f", r.P99, want)
	}
	// Erlang C for 8 servers at .8: 0.43 wait, 10.2 ms in the mean.
	if r := simulate(t, "uniform-.8", Central, 1000); math.Abs(r.Mean-48.2) > 2.5 {
		t.Errorf("M/M/8 at .8 answers in %.1f ms, want 48.2", r.Mean)
	}
}
