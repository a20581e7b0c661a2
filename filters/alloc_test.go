//go:build !race

package filters

import (
	"slices"
	"testing"
)

// The race detector makes sync.Pool forget at random, so this is not built
// under it.
func TestFiltersAllocateNothing(t *testing.T) {
	for _, f := range everyFilter() {
		t.Run(f.Name, func(t *testing.T) {
			e, given := anEvent(), someSinks(8)
			sinks := slices.Clone(given)
			got := testing.AllocsPerRun(1000, func() {
				copy(sinks, given)
				f.Filter(e, sinks)
			})
			if got != 0 {
				t.Errorf("%v allocations per event, want 0", got)
			}
		})
	}
}

func TestChosenReusesEntries(t *testing.T) {
	c := NewChosen(ChosenConfig{})
	e, sinks := anEvent(), someSinks(8)
	got := testing.AllocsPerRun(1000, func() {
		e.ID.Seq++
		c.Record(e, sinks)
		c.Forget(e.ID)
	})
	if got != 0 {
		t.Errorf("%v allocations for Record and Forget of a new event, want 0", got)
	}
}
