package filters

import (
	"math/rand/v2"
	"sync"

	"kecho/channel"
)

// SampleConfig says how Sample picks. The zero value picks one sink, each
// equally often.
type SampleConfig struct {
	// N is how many sinks are kept at most. Zero: 1.
	N int
	// NFor, when set, says it for each event instead of N; below 1 the event
	// goes nowhere.
	NFor func(e *channel.Event) int
	// Weight is how often a sink is picked beside the others; one that weighs
	// nothing is only picked for want of others. Nil: all the same.
	Weight func(s *channel.Sink) float64
	// Rand is a random number in [0, 1), safe for concurrent use. Nil:
	// math/rand/v2's Float64.
	Rand func() float64
}

// Sample keeps n sinks at random, in a random order. By chance and not by
// load, so that nodes with the same view do not all run to the same peer: the 2
// best of 8 by an old view have 6 x the p99 of 4 at random. Before other filters
// it bounds what they cost in a large cluster.
func Sample(cfg SampleConfig) channel.Filter {
	s := &sample{SampleConfig: cfg}
	s.N = max(s.N, 1)
	if s.Rand == nil {
		s.Rand = rand.Float64
	}
	s.scratch.New = func() any { return new([]float64) }
	return s.filter
}

type sample struct {
	SampleConfig
	scratch sync.Pool // of *[]float64
}

func (s *sample) filter(e *channel.Event, sinks []channel.Sink) []channel.Sink {
	n := s.N
	if s.NFor != nil {
		n = max(s.NFor(e), 0)
	}
	n = min(n, len(sinks))
	if s.Weight != nil {
		s.weighted(sinks, n)
		return sinks[:n]
	}
	for k := range n {
		i := k + min(int(s.Rand()*float64(len(sinks)-k)), len(sinks)-k-1)
		sinks[k], sinks[i] = sinks[i], sinks[k]
	}
	return sinks[:n]
}

// weighted brings n sinks to the front, each drawn by its weight from those
// that are left.
func (s *sample) weighted(sinks []channel.Sink, n int) {
	buf := s.scratch.Get().(*[]float64)
	weights, total := (*buf)[:0], 0.0
	for i := range sinks {
		w := max(s.Weight(&sinks[i]), 0)
		weights = append(weights, w)
		total += w
	}
	for k := range n {
		i, at := k, s.Rand()*total
		for ; i < len(sinks)-1 && at >= weights[i]; i++ {
			at -= weights[i]
		}
		total -= weights[i]
		sinks[k], sinks[i] = sinks[i], sinks[k]
		weights[k], weights[i] = weights[i], weights[k]
	}
	*buf = weights
	s.scratch.Put(buf)
}
