package filters

import (
	"math/rand/v2"

	"kecho/channel"
)

// ThinConfig says how often a sink is left in the running.
type ThinConfig struct {
	// Weight is how often beside the others: half the greatest weight is half
	// of the times. Nil: WeightIn.
	Weight func(s *channel.Sink) float64
	// Rand is a random number in [0, 1), safe for concurrent use. Nil:
	// math/rand/v2's Float64.
	Rand func() float64
}

// Thin drops sinks by chance, the more often the less they weigh beside the
// heaviest, which always stays. Over 32 sinks cost an allocation. Before a filter that takes the best it has the
// effect that a weight has on Sample: a node that is new or that is to take
// little may be the least loaded of all, and would draw everything.
func Thin(cfg ThinConfig) channel.Filter {
	if cfg.Weight == nil {
		cfg.Weight = func(s *channel.Sink) float64 { return WeightIn(s.Attrs) }
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Float64
	}
	return func(_ *channel.Event, sinks []channel.Sink) []channel.Sink {
		var few [32]float64
		weights, most := few[:0], 0.0
		for i := range sinks {
			w := cfg.Weight(&sinks[i])
			weights, most = append(weights, w), max(most, w)
		}
		kept := sinks[:0]
		for i, w := range weights {
			if w >= most || cfg.Rand()*most < w {
				kept = append(kept, sinks[i])
			}
		}
		return kept
	}
}
