package sim

import (
	"testing"
	"time"
)

// TestReference: what goes by reports alone herds, all the more the older they
// are and the more nodes are compared; that is what the policies are held
// against.
func TestReference(t *testing.T) {
	run := func(p Policy, reports float64) Result {
		s, err := Named("uniform-.8")
		if err != nil {
			t.Fatal(err)
		}
		s.Reports = time.Duration(reports * float64(time.Second))
		r, err := Run(t.Context(), Config{Scenario: s, Policy: p, Nodes: 16, Seconds: 60, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	none := run(None, 0)
	fresh, old := run(Least, .005), run(Least, 1)
	p2c, oldP2C := run(P2C, .005), run(P2C, 1)
	if !(fresh.P99 < p2c.P99 && p2c.P99 < none.P99/2) {
		t.Errorf("with new reports: p99 %.0f ms by the least loaded, %.0f by the better of two, %.0f without", fresh.P99, p2c.P99, none.P99)
	}
	if !(oldP2C.P99 < old.P99 && fresh.P99 < old.P99/3) {
		t.Errorf("with reports every second: p99 %.0f ms by the least loaded, %.0f by the better of two; it was %.0f", old.P99, oldP2C.P99, fresh.P99)
	}
	if fresh.Moved == 0 || fresh.Reports < 100*old.Reports || old.CPU <= 0 || old.Twice > 0 || old.Refused > 0 {
		t.Errorf("with new reports %+v\nwith old ones %+v", fresh, old)
	}
}

// TestReferenceFaults: what was with a server that died is begun again, what
// came to one that is broken fails.
func TestReferenceFaults(t *testing.T) {
	served := simulate(t, "death", Central, 60).Requests
	for _, p := range []Policy{P2C, Least} {
		if r := simulate(t, "death", p, 60); r.Failed > 0 || served < r.Requests || served > r.Requests+20 {
			t.Errorf("%s, a node dies: %+v", p, r)
		}
		if r := simulate(t, "black-hole", p, 60); r.Failed < .01 || r.Hole < .125 {
			t.Errorf("%s, a server fails at once and draws what there is: %+v", p, r)
		}
	}
}

// TestFigures: the paper's hot server answers in 5 s without balancing and in
// 2.5 s with the paper's.
func TestFigures(t *testing.T) {
	for p, want := range map[Policy]float64{None: 5000, Paper: 2500} {
		r := simulate(t, "figure-8@45", p, 60)
		if r.P50 < want-250 || r.P50 > want+100 {
			t.Errorf("45 requests/s under %s: the median is %.0f ms, want about %.0f", p, r.P50, want)
		}
	}
	one, five := simulate(t, "figure-9@1", Paper, 20), simulate(t, "figure-9@5", Paper, 20)
	if ratio := five.Reports / one.Reports; ratio < 4.5 || ratio > 5 {
		t.Errorf("%.2f x the reports at 5 x their rate", ratio)
	}
	first, last := simulate(t, "figure-9b@1", Paper, 20), simulate(t, "figure-9b@5", Paper, 20)
	if last.Messages < 2*first.Messages || last.Mean > 1.02*first.Mean || last.Mean < .98*first.Mean {
		t.Errorf("asked one server: %.2f messages a request, %.0f ms; five: %.2f, %.0f ms", first.Messages, first.Mean, last.Messages, last.Mean)
	}
}

// TestSelect: a name is a scenario, a sweep or a figure; all is what is no
// figure.
func TestSelect(t *testing.T) {
	for name, want := range map[string]int{"uniform-.8": 1, "uniform": 8, "hot": 8, "figure-8": 8, "figure-9": 5, "figure-9b": 5, "figure-8@20": 1, "all": len(Scenarios())} {
		if list, err := Select(name); err != nil || len(list) != want {
			t.Errorf("%q is %d scenarios, %v; want %d", name, len(list), err, want)
		}
	}
	if _, err := Select("uniform-2"); err == nil {
		t.Error("a scenario that is not there was found")
	}
	names := map[string]bool{}
	for _, s := range append(Scenarios(), Figures()...) {
		if names[s.Name] {
			t.Errorf("two scenarios are named %s", s.Name)
		}
		names[s.Name] = true
	}
}
