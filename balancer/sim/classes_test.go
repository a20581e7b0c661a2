//go:build !race

package sim

import (
	"testing"

	"kecho/balancer/policy"
)

// flood is a cluster four fifths of whose requests are not urgent and one fifth
// are. Only the one kind is measured.
type flood struct {
	*cores
	count   int
	measure policy.Class
}

func (f *flood) arrive(j *job) {
	j.Class = policy.LastClass
	if f.count++; f.count%5 == 0 {
		j.Class = policy.FirstClass
	}
	if j.Class != f.measure {
		j.arrived = -1 // before anything is measured
	}
	f.cores.arrive(j)
}

// TestClasses: at twice the capacity, urgent requests are served as if they were
// alone, and the others share what is left: they are refused, and what is not
// refused is served in time.
func TestClasses(t *testing.T) {
	s := Scenario{Name: "flood", Base: 2}
	run := func(measure policy.Class) Result {
		cfg := Config{Scenario: s, Policy: Auto, Seconds: 60, Seed: 1}
		cfg.defaults()
		w := &world{cfg: cfg, clients: newSource(cfg), faults: stream(cfg.Seed, "faults"),
			warm: cfg.length() / 10, until: cfg.length() + 2*cfg.Timeout}
		if err := w.run(t.Context(), &flood{cores: newCores(w), measure: measure}); err != nil {
			t.Fatal(err)
		}
		return w.result()
	}
	alone := s
	alone.Base = .4
	r, err := Run(t.Context(), Config{Scenario: alone, Policy: Auto, Seconds: 60, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	urgent, rest := run(policy.FirstClass), run(policy.LastClass)
	if urgent.Refused > 0 || urgent.Late > 0 || urgent.P99 > 1.5*r.P99 {
		t.Errorf("urgent: refused %.4f, late %.4f, p99 %.0f ms; alone it is %.0f", urgent.Refused, urgent.Late, urgent.P99, r.P99)
	}
	if sum := urgent.Goodput + rest.Goodput; sum < .97 || rest.Refused < .5 || rest.Late > .05 {
		t.Errorf("the rest: refused %.3f, late %.3f; goodput of both %.3f of capacity", rest.Refused, rest.Late, sum)
	}
	t.Logf("urgent: p99 %.0f ms (alone %.0f), refused %.4f; rest: p99 %.0f ms, refused %.3f, late %.3f, goodput %.3f", urgent.P99, r.P99, urgent.Refused, rest.P99, rest.Refused, rest.Late, urgent.Goodput+rest.Goodput)
}
