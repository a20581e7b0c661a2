package sim

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// stream is the random numbers for one purpose.
func stream(seed uint64, purpose string) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, purpose)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// Dist is the distribution of service times.
type Dist string

// The distributions; each has the mean that the scenario says.
const (
	Exponential Dist = "exponential"
	Fixed       Dist = "fixed"
	// Lognormal has sigma 1: a standard deviation of 1.3 means.
	Lognormal Dist = "lognormal"
	// Bimodal is nine of about half the mean and one of about five means.
	Bimodal Dist = "bimodal"
)

// draw is one service time.
func (d Dist) draw(r *rand.Rand, mean time.Duration) time.Duration {
	m := float64(mean)
	switch d {
	case Fixed:
		return mean
	case Lognormal:
		const sigma = 1.0
		return time.Duration(m * math.Exp(sigma*r.NormFloat64()-sigma*sigma/2))
	case Bimodal:
		if r.Float64() < 0.1 {
			return time.Duration(m * 5.27)
		}
		return time.Duration(m * (1 - 0.1*5.27) / 0.9)
	}
	return time.Duration(m * r.ExpFloat64())
}

// arrival is one request, before any policy has seen it.
type arrival struct {
	at, size time.Duration
	node     int
}

// source makes the arrivals of a scenario one by one.
type source struct {
	scenario Scenario
	end      time.Duration
	places   int
	sums     []float64 // of the nodes' rates, in requests a second
	now      time.Duration
	times    *rand.Rand
	nodes    *rand.Rand
	sizes    *rand.Rand
}

func newSource(cfg Config) *source {
	s := &source{
		scenario: cfg.Scenario, end: cfg.length(), places: cfg.Scenario.Places,
		times: stream(cfg.Seed, "times"), nodes: stream(cfg.Seed, "nodes"), sizes: stream(cfg.Seed, "sizes"),
		sums: make([]float64, cfg.Nodes),
	}
	return s
}

// next is the next arrival; false after the last. Times are drawn at the
// highest rate that there ever is and thinned.
func (s *source) next() (arrival, bool) {
	most := s.rates(s.scenario.surgeBegin(s.end))
	most = max(most, s.rates(0))
	for {
		s.now += time.Duration(s.times.ExpFloat64() / most * float64(time.Second))
		if s.now >= s.end {
			return arrival{}, false
		}
		total := s.rates(s.now)
		u, size := s.nodes.Float64()*most, s.scenario.Dist.draw(s.sizes, s.scenario.Service)
		if u >= total {
			continue
		}
		node, _ := slices.BinarySearch(s.sums, u)
		return arrival{at: s.now, size: max(size, 1), node: min(node, len(s.sums)-1)}, true
	}
}

// rates fills in the sums of the rates at a time, and returns the total.
func (s *source) rates(at time.Duration) float64 {
	one := float64(s.places) / s.scenario.Service.Seconds() // what a node can do
	surging := s.scenario.surging(at, s.end)
	if s.sums[0] != 0 && s.scenario.Surge == 0 {
		return s.sums[len(s.sums)-1]
	}
	total := 0.0
	for i := range s.sums {
		total += one * s.scenario.load(i, len(s.sums), surging)
		s.sums[i] = total
	}
	return total
}
