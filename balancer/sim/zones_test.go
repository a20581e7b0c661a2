//go:build !race

package sim

import "testing"

// TestZones: what is near is taken first, and what is far before anybody
// waits for long.
func TestZones(t *testing.T) {
	for name, most := range map[string]struct{ far, p99 float64 }{
		"zones-.5": {.05, 1.12}, "zones-.8": {.14, 1.28}, "zones-hot-4x": {.26, 1.28},
	} {
		central, ours := simulate(t, name, Central, 60), simulate(t, name, Auto, 60)
		if p99 := ours.P99 / central.P99; ours.Far > most.far || p99 > most.p99 {
			t.Errorf("%s: %.3f are served far away, want at most %.2f; p99 is %.3f x the central queue's, want at most %.2f",
				name, ours.Far, most.far, p99, most.p99)
		}
		if ours.Far == 0 {
			t.Errorf("%s: nothing is served far away", name)
		}
	}
}

// TestLiar: a node that claims everything and serves nothing has next to
// nothing, and the others' clients do not feel it.
func TestLiar(t *testing.T) {
	central := simulate(t, "liar", Central, 60)
	for _, p := range []Policy{Offers, Push} {
		r := simulate(t, "liar", p, 60)
		if ratio := r.P99 / central.P99; r.Drawn > .01 || r.Late > .005 || r.Failed > 0 || ratio > 1.4 {
			t.Errorf("%s: the liar drew %.4f of all, %.4f late, %.4f failed, p99 %.2f x", p, r.Drawn, r.Late, r.Failed, ratio)
		}
		if r.Drawn == 0 {
			t.Errorf("%s: the liar was never sent anything: that shows nothing", p)
		}
	}
}
