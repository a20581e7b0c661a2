//go:build !race

package choice

import (
	"fmt"
	"testing"
	"time"

	"kecho/balancer/policy"
	"kecho/channel"
)

// The race detector makes sync.Pool forget at random, so this is not built
// under it.

// TestNothingAllocated: a choice makes no garbage, of 8 known peers or 1,000.
func TestNothingAllocated(t *testing.T) {
	for _, mode := range []policy.Mode{policy.Pull, policy.Pushes} {
		s := newStage(mode, 1000)
		chooser, event, sinks := New(Config{Core: s.core}), new(channel.Event), make([]channel.Sink, Looked)
		if n := testing.AllocsPerRun(100, func() {
			copy(sinks, s.sinks)
			chooser.Pick(s.now, s.effect, event, sinks)
		}); n != 0 {
			t.Errorf("%v allocates %v times for a choice", mode, n)
		}
	}
}

// BenchmarkChoice is the whole OUT-filter of one submission, of a core that has
// met so many peers.
func BenchmarkChoice(b *testing.B) {
	for _, mode := range []policy.Mode{policy.Pull, policy.Pushes} {
		for _, peers := range []int{7, 999} {
			b.Run(fmt.Sprintf("%v/%d", mode, peers+1), func(b *testing.B) {
				s := newStage(mode, peers)
				chooser, event, sinks := New(Config{Core: s.core, Zone: "a"}), new(channel.Event), make([]channel.Sink, min(peers, Looked))
				s.now = time.Minute // nobody is new
				b.ReportAllocs()
				for b.Loop() {
					copy(sinks, s.sinks)
					chooser.Pick(s.now, s.effect, event, sinks)
				}
			})
		}
	}
}
