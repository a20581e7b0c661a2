package paper

import (
	"testing"
	"time"
)

func TestContest(t *testing.T) {
	c := contest{lines: make([]Line, 2), turns: [][]float64{{10, 20, 40}, {5, 5, 8}}}
	lines := c.finish()
	if l := lines[0]; l.Took != 20 || l.Ratio != 0 {
		t.Errorf("the first: %+v", l)
	}
	if l := lines[1]; l.Took != 5 || l.Ratio != .25 || l.Least != .2 || l.Most != .5 {
		t.Errorf("the second: %+v", l)
	}
}

func TestMedian(t *testing.T) {
	if got := medianOf([]time.Duration{9000, 1000, 2000}); got != 2 {
		t.Errorf("%v us, want 2", got)
	}
	if medianOf(nil) != 0 || middle(nil) != 0 || share(1, 0) != 0 {
		t.Error("of nothing there is something")
	}
}

// The goals are the shares that the paper's own figures are.
func TestGoals(t *testing.T) {
	for side, want := range map[channel7][2]float64{inward: {.33, .21}, outward: {.36, .13}} {
		for k := range want {
			if got := goal7(side, k+1); got != want[k] {
				t.Errorf("%s %s: %v, want %v", side, cuts[k+1].what, got, want[k])
			}
		}
	}
}

func TestConfigRefuses(t *testing.T) {
	for _, cfg := range []Config{{Events: 9}, {Turns: -1}, {Idle: []int{-1}}, {Idle: []int{10_001}}} {
		if err := cfg.Check(); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}
