package filters

import (
	"math"
	"math/rand/v2"
	"testing"

	"kecho/channel"
)

// TestThinShares: a sink stays as often as its weight beside the greatest says,
// and the heaviest always.
func TestThinShares(t *testing.T) {
	for name, c := range map[string]struct {
		weights []float64 // 0: says none
		want    []float64
	}{
		"all the same":   {[]float64{0, 0, 1}, []float64{1, 1, 1}},
		"one is to rest": {[]float64{0, 0.1, 0.5}, []float64{1, .1, .5}},
		"one is strong":  {[]float64{0, 2, 4}, []float64{.25, .5, 1}},
		"nonsense":       {[]float64{0, math.NaN(), -3, 1e308}, []float64{.1, .1, .1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			filter := Thin(ThinConfig{Rand: random.Float64})
			const rounds = 20_000
			stayed := make([]float64, len(c.weights))
			for range rounds {
				sinks := sampleSinks(len(c.weights))
				for i, w := range c.weights {
					if w != 0 {
						sinks[i].Attrs = channel.Attrs{Weight.Of(w)}
					}
				}
				for _, s := range filter(&channel.Event{}, sinks) {
					stayed[s.Node-1] += 1. / rounds
				}
			}
			for i, share := range stayed {
				if math.Abs(share-c.want[i]) > .015 {
					t.Errorf("sink %d stays in %.3f of all, want %.3f", i+1, share, c.want[i])
				}
			}
		})
	}
}
