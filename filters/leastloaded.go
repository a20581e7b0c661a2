package filters

import (
	"math/rand/v2"
	"sync"

	"kecho/channel"
)

// LeastLoadedConfig says how LeastLoaded picks. The zero value picks one sink
// by the load heard alone.
type LeastLoadedConfig struct {
	// N is how many sinks are kept at most. Zero: 1.
	N int
	// NFor, when set, says it for each event instead of N; below 1 the event
	// goes nowhere.
	NFor func(e *channel.Event) int
	// Sent is how many events of this node are on their way to a node and not
	// yet in the load that it was last heard with. Without it every submitter
	// takes the same node for the best until the next report: 3.6 x the p99
	// of a central queue against 2 (docs/design.md, "Load"). Nil: none.
	Sent func(node channel.NodeID) int
	// Rand is a random number in [0, n), safe for concurrent use. Nil:
	// math/rand/v2's IntN.
	Rand func(n int) int
}

// LeastLoaded keeps the n sinks of lowest effective load, best first; of
// equals any, at random, so that nodes with the same view do not all run to
// the same peer.
//
// The effective load of a sink is the load that its node was last heard with
// (LoadIn) plus Sent / capacity. A capacity that is not known, or that no node
// which takes events can have, counts as 1. A sink without a load is taken for
// as loaded as the worst of the others, never for idle: the node that cannot
// measure itself must not draw everybody's requests.
func LeastLoaded(cfg LeastLoadedConfig) channel.Filter {
	l := &leastLoaded{LeastLoadedConfig: cfg}
	if l.N < 1 {
		l.N = 1
	}
	if l.Rand == nil {
		l.Rand = rand.IntN
	}
	l.scratch.New = func() any { return new([]float64) }
	return l.filter
}

type leastLoaded struct {
	LeastLoadedConfig
	scratch sync.Pool // of *[]float64
}

func (l *leastLoaded) filter(e *channel.Event, sinks []channel.Sink) []channel.Sink {
	n := l.N
	if l.NFor != nil {
		n = max(l.NFor(e), 0)
	}
	n = min(n, len(sinks))
	if n == 0 {
		return sinks[:0]
	}
	buf := l.scratch.Get().(*[]float64)
	loads := l.effective((*buf)[:0], sinks)
	for k := range n {
		best := l.lowest(loads, k)
		sinks[k], sinks[best] = sinks[best], sinks[k]
		loads[k], loads[best] = loads[best], loads[k]
	}
	*buf = loads
	l.scratch.Put(buf)
	return sinks[:n]
}

// effective appends each sink's effective load to loads.
func (l *leastLoaded) effective(loads []float64, sinks []channel.Sink) []float64 {
	const unknown = -1
	worst := 0.0
	for i := range sinks {
		load, ok := LoadIn(sinks[i].Attrs)
		if !ok {
			load = unknown
		}
		worst = max(worst, load)
		loads = append(loads, load)
	}
	for i := range sinks {
		if loads[i] == unknown {
			loads[i] = worst
		}
		if l.Sent == nil {
			continue
		}
		if sent := l.Sent(sinks[i].Node); sent > 0 {
			places, _ := CapacityIn(sinks[i].Attrs)
			loads[i] += float64(sent) / float64(max(places, 1))
		}
	}
	return loads
}

// lowest is the index from k on of a lowest load; each of several equals is
// returned equally often.
func (l *leastLoaded) lowest(loads []float64, k int) int {
	best, equals := k, 1
	for i := k + 1; i < len(loads); i++ {
		switch {
		case loads[i] < loads[best]:
			best, equals = i, 1
		case loads[i] == loads[best]:
			equals++
			if l.Rand(equals) == 0 {
				best = i
			}
		}
	}
	return best
}
