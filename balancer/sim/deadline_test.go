//go:build !race

package sim

import (
	"testing"
	"time"
)

// TestDeadlines: clients that wait a little longer than a service takes do not
// have the servers work for nothing, and few of them are refused while there is
// room.
func TestDeadlines(t *testing.T) {
	for name, c := range map[string]struct {
		timeout       time.Duration
		least, refuse float64 // goodput, and of all
	}{
		"uniform-.8":   {400 * time.Millisecond, .79, .002},
		"hot-4x":       {400 * time.Millisecond, .70, .002},
		"flash":        {200 * time.Millisecond, .45, .01},
		"overload-1.2": {400 * time.Millisecond, .95, .2},
		"overload-1.5": {200 * time.Millisecond, .90, .4},
		"overload-2.5": {400 * time.Millisecond, .90, .65},
	} {
		s, err := Named(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Run(t.Context(), Config{Scenario: s, Policy: Auto, Seconds: 60, Seed: 1, Timeout: c.timeout})
		if err != nil {
			t.Fatal(err)
		}
		if r.Goodput < c.least || r.Refused > c.refuse {
			t.Errorf("%s, clients wait %v: goodput %.3f of capacity, refused %.4f; want at least %.2f, at most %.3f",
				name, c.timeout, r.Goodput, r.Refused, c.least, c.refuse)
		}
	}
}
