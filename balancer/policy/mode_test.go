package policy

import (
	"testing"
	"time"
)

// TestGovernor: the more messages there are, the fewer peers are asked, and
// more again when it is quiet.
func TestGovernor(t *testing.T) {
	g := governor{cost: 10 * time.Microsecond}
	now, want := time.Duration(0), []int{2, 1, 0, 0}
	for _, n := range want {
		now += window
		g.note(now, 301) // 3.01 % of a core
		if got := copiesAt[g.level]; got != n {
			t.Errorf("%d copies at %v, want %d", got, now, n)
		}
	}
	now += window
	g.note(now, 200)
	if got := copiesAt[g.level]; got != 0 {
		t.Errorf("%d copies at 2 %%, want as before", got)
	}
	for _, n := range []int{1, 2, 4, 4} {
		now += window
		g.note(now, 100)
		if got := copiesAt[g.level]; got != n {
			t.Errorf("%d copies at %v, want %d", got, now, n)
		}
	}
}

// TestMode: the choice between offers and pushes has a hysteresis.
func TestMode(t *testing.T) {
	c := NewCore(Config{Places: 2, Service: 20 * time.Millisecond})
	for _, step := range []struct {
		trip   time.Duration
		pulls  bool
		copies int
	}{
		{500 * time.Microsecond, true, 4}, {time.Millisecond, true, 2}, {1500 * time.Microsecond, true, 2},
		{1600 * time.Microsecond, false, 2}, {1100 * time.Microsecond, false, 2}, {time.Millisecond, true, 2},
	} {
		c.SetRoundTrip(step.trip)
		if got := c.pulling(&Request{}); got != step.pulls {
			t.Errorf("round trip %v of 2 places and 20 ms: offers %v", step.trip, got)
		}
		if got := c.copies(0); got != step.copies {
			t.Errorf("round trip %v: %d copies, want %d", step.trip, got, step.copies)
		}
	}
}
