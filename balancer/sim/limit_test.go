//go:build !race

package sim

import (
	"fmt"
	"testing"
)

// TestLearn: a limit that is learned comes to what the web server runs at once,
// from below and from above, and p99 is as if it had been given.
func TestLearn(t *testing.T) {
	for i, places := range []int{1, 4, 16} {
		for k, dist := range []Dist{Exponential, Lognormal, Fixed} {
			if i != k && !nightly {
				continue // each of both once
			}
			t.Run(fmt.Sprintf("%d/%s", places, dist), func(t *testing.T) {
				t.Parallel()
				s := Scenario{Base: .8, Places: places, Dist: dist}
				seconds := 60 + 80/float64(places)
				given := learn(t, s, seconds)
				for _, s.Limit = range []int{1, 64} {
					s.Learn = 64
					r := learn(t, s, seconds)
					if r.Learned < .9*float64(places) || r.Learned > 1.5*float64(places) {
						t.Errorf("from %d it came to %.1f, want %d to half as many again", s.Limit, r.Learned, places)
					}
					if r.P99 > 1.15*given.P99+1 || r.Refused > given.Refused+.001 {
						t.Errorf("from %d: p99 %.0f ms, with %d given %.0f; refused %.4f", s.Limit, r.P99, places, given.P99, r.Refused)
					}
				}
			})
		}
	}
}

func learn(t *testing.T, s Scenario, seconds float64) Result {
	t.Helper()
	r, err := Run(t.Context(), Config{Scenario: s, Policy: Auto, Nodes: max(8/s.Places, 2), Seconds: seconds, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestLearnOverload: what is learned while there is too much to do does not cost
// capacity.
func TestLearnOverload(t *testing.T) {
	s := Scenario{Base: 1.2, Places: 4, Limit: 8, Learn: 64}
	if r := learn(t, s, 120); r.Goodput < .95 || r.Learned < 3.5 || r.Learned > 7 {
		t.Errorf("goodput %.3f of capacity, with %.1f places for 4", r.Goodput, r.Learned)
	}
}

// TestLearnChange: the limit follows when the server is given more, or less.
func TestLearnChange(t *testing.T) {
	for name, want := range map[string][2]float64{"learn-more": {6, 24}, "learn-less": {3.5, 6.5}} {
		s, err := Named(name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "learn-more" {
			s.Base = 2 // as soon as there is more
		}
		r := learn(t, s, 100)
		if r.Learned < want[0] || r.Learned > want[1] {
			t.Errorf("%s: from %d to %d places it came to %.1f", name, s.Places, s.Later, r.Learned)
		}
	}
}

// TestWrongLimit: a limit that is too high lets requests wait inside the server,
// where no peer can take them.
func TestWrongLimit(t *testing.T) {
	s := Scenario{Base: .8, Places: 1}
	right := learn(t, s, 120)
	s.Limit = 16
	if wrong := learn(t, s, 120); wrong.P99 < 2*right.P99 {
		t.Errorf("p99 is %.0f ms with 16 places for 1, and %.0f with 1", wrong.P99, right.P99)
	}
}
