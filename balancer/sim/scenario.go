package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Scenario is who arrives where, how long a service takes, and what breaks.
// Loads are in what one usual node can do: 1 is a node at its capacity.
type Scenario struct {
	Name string
	// Sweep is the row of scenarios that it belongs to, and X where in it: what
	// differs in the row. XName says what X is. Zero: it stands alone.
	Sweep, XName string
	X            float64
	// Places of each node: what its web server runs at once. Zero: 1.
	Places int
	// Later is the places of each node from the middle on. Zero: as before.
	Later int
	// Limit is the places that each node's agent believes in, or begins with when
	// Learn, the upper bound, says that it learns them. Zero: Places. Only the
	// policies that are cores' know it.
	Limit, Learn int
	// Service is the mean at a node of speed 1. Zero: 38 ms, the paper's.
	Service time.Duration
	// Dist is the distribution of services. Zero: Exponential.
	Dist Dist
	// Base is the load at each node that is not hot.
	Base float64
	// Hot nodes, of 8, have the load HotAt; a larger cluster has more of them.
	Hot   int
	HotAt float64
	// Zipf spreads the load Base x nodes by rank, the most popular first.
	Zipf bool
	// Surge is the load at the first node (of 8) for an eighth of the time,
	// from the middle on.
	Surge float64
	// Speeds of the nodes, repeated to all. Nil: 1.
	Speeds []float64
	// Death ends one node (of 8) at the middle, for a sixth of the time; its
	// clients go to the others.
	Death bool
	// Hole makes the server of one node (of 8) fail every request at once, from
	// the middle on: a black hole for whoever looks for idle servers.
	Hole bool
	// Zones is in how many zones the nodes are, at most 8, and Far how long a
	// message takes from one to another. Zero: one.
	Zones int
	Far   time.Duration
	// Liar has one node (of 8) claim whatever it is offered, say that it began
	// what it is sent, and answer nothing: its clients are served.
	Liar bool
	// Hiccup is the share of the services in which the server, and not the
	// request, takes HiccupTime longer.
	Hiccup     float64
	HiccupTime time.Duration
	// Reports is how often loads are reported in it, whatever Config.Reports is.
	// Zero: as Config.Reports says.
	Reports time.Duration
	// Copies is Config.Copies.Most in it, without a budget: to how many servers a
	// request goes under Paper. Zero: as Config.Copies says.
	Copies int
}

// Scenarios is those that have a name, in the order of docs/sim.md, without the
// points of Figures.
func Scenarios() []Scenario {
	slow := []float64{1, 1, 1, 1.0 / 3, 1, 1, 1, 1}
	list := uniforms(.3, .4, .5, .6, .7, .8, .9, .95)
	list = append(list, hots(map[float64]float64{1: .25, 2: .25, 3: .25, 4: .25, 5: .2, 6: .15, 7: .05, 8: .001})...)
	list = append(list, []Scenario{
		{Name: "three-hot", Base: .2, Hot: 3, HotAt: 2},
		{Name: "zipf-.8", Base: .8, Zipf: true}, {Name: "flash", Base: .4, Surge: 4},
		{Name: "slow-node", Base: .6, Speeds: slow}, {Name: "mixed", Base: .8, Speeds: []float64{1.5, .5}},
		{Name: "death", Base: .6, Death: true}, {Name: "black-hole", Base: .6, Hole: true},
		{Name: "zones-.5", Base: .5, Zones: 2, Far: 5 * time.Millisecond}, {Name: "zones-.8", Base: .8, Zones: 2, Far: 5 * time.Millisecond},
		{Name: "zones-hot-4x", Base: .25, Hot: 1, HotAt: 4, Zones: 2, Far: 5 * time.Millisecond},
		{Name: "liar", Base: .6, Liar: true},
		{Name: "lognormal-.8", Base: .8, Dist: Lognormal}, {Name: "bimodal-.8", Base: .8, Dist: Bimodal},
		{Name: "fixed-.9", Base: .9, Dist: Fixed},
		{Name: "hiccups", Base: .4, Hiccup: .02, HiccupTime: 500 * time.Millisecond},
		{Name: "paper-50", Base: .001, Hot: 1, HotAt: 50 * .038}, {Name: "paper-5x", Base: .001, Hot: 1, HotAt: 5},
		{Name: "short-5ms", Base: .8, Places: 4, Service: 5 * time.Millisecond},
		{Name: "short-1ms", Base: .8, Places: 8, Service: time.Millisecond},
		{Name: "hot-short-1ms", Base: .25, Hot: 1, HotAt: 4, Places: 8, Service: time.Millisecond},
	}...)
	list = append(list, limits()...)
	list = append(list, overloads(1.05, 1.1, 1.2, 1.35, 1.5, 2.5)...)
	for i := range list {
		list[i].defaults()
	}
	return list
}

// short writes a load as names have it: .8, 1.05.
func short(load float64) string { return strings.TrimPrefix(fmt.Sprint(load), "0") }

func uniforms(loads ...float64) (list []Scenario) {
	for _, l := range loads {
		list = append(list, Scenario{Name: "uniform-" + short(l), Base: l, Sweep: "uniform", XName: "load", X: l})
	}
	return list
}

func overloads(loads ...float64) (list []Scenario) {
	for _, l := range loads {
		list = append(list, Scenario{Name: "overload-" + short(l), Base: l, Sweep: "overload", XName: "load", X: l})
	}
	return list
}

// hots is one hot node at multiples of its capacity, with the load of the
// others. At 8 x it alone asks for all that 8 nodes can do.
func hots(others map[float64]float64) (list []Scenario) {
	for _, at := range slices.Sorted(maps.Keys(others)) {
		list = append(list, Scenario{Name: "hot-" + short(at) + "x", Base: others[at], Hot: 1, HotAt: at,
			Sweep: "hot", XName: "load of the hot node", X: at})
	}
	return list
}

// limits is agents that are told too many places, and agents that learn them.
func limits() (list []Scenario) {
	for _, x := range []int{2, 4, 16} {
		list = append(list, Scenario{Name: fmt.Sprintf("limit-%dx", x), Base: .8, Places: 4, Limit: 4 * x,
			Sweep: "limit", XName: "limit, as a multiple of the places", X: float64(x)})
	}
	for _, from := range []int{1, 8, 64} {
		list = append(list, Scenario{Name: fmt.Sprintf("learn-%d", from), Base: .8, Places: 4, Limit: from, Learn: 64,
			Sweep: "learn", XName: "limit at the start", X: float64(from)})
	}
	return append(list,
		Scenario{Name: "learn-more", Base: .9, Places: 4, Later: 16, Limit: 8, Learn: 64},
		Scenario{Name: "learn-less", Base: .2, Places: 16, Later: 4, Limit: 8, Learn: 64})
}

func (s *Scenario) defaults() {
	if s.Places == 0 {
		s.Places = 1
	}
	if s.Service == 0 {
		s.Service = 38 * time.Millisecond
	}
	if s.Dist == "" {
		s.Dist = Exponential
	}
}

// Named is the scenario of that name, a point of a figure among them.
func Named(name string) (Scenario, error) {
	all := append(Scenarios(), Figures()...)
	i := slices.IndexFunc(all, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		return Scenario{}, unknown(name)
	}
	return all[i], nil
}

// Select is the scenarios that a name stands for: one, all of a sweep or a
// figure, or with "all" every one but the figures' points.
func Select(name string) ([]Scenario, error) {
	if name == "all" {
		return Scenarios(), nil
	}
	var list []Scenario
	for _, s := range append(Scenarios(), Figures()...) {
		if s.Name == name || s.Sweep == name {
			list = append(list, s)
		}
	}
	if len(list) == 0 {
		return nil, unknown(name)
	}
	return list, nil
}

// Names is what Select knows: every scenario, then every sweep and figure.
func Names() (names []string) {
	var sweeps []string
	for _, s := range append(Scenarios(), Figures()...) {
		if !strings.Contains(s.Name, "@") {
			names = append(names, s.Name)
		}
		if s.Sweep != "" && !slices.Contains(sweeps, s.Sweep) {
			sweeps = append(sweeps, s.Sweep)
		}
	}
	return append(names, sweeps...)
}

func unknown(name string) error {
	return fmt.Errorf("there is no scenario %q; there are %s", name, strings.Join(Names(), ", "))
}

// load is what arrives at node i of n.
func (s *Scenario) load(i, n int, surging bool) float64 {
	first := i%8 == 0
	switch {
	case s.Zipf:
		sum := 0.0
		for k := range min(n, 8) {
			sum += 1 / float64(k+1)
		}
		return s.Base * float64(min(n, 8)) / sum / float64(i%8+1)
	case surging && first:
		return s.Surge
	case i%8 < s.Hot:
		return s.HotAt
	}
	return s.Base
}

func (s *Scenario) speed(i int) float64 {
	if len(s.Speeds) == 0 {
		return 1
	}
	return s.Speeds[i%len(s.Speeds)]
}

func (s *Scenario) surgeBegin(end time.Duration) time.Duration { return end / 2 }

func (s *Scenario) surging(at, end time.Duration) bool {
	begin := s.surgeBegin(end)
	return s.Surge > 0 && at >= begin && at < begin+end/8
}

// dead reports whether node i is dead at a time.
func (s *Scenario) dead(i int, at, end time.Duration) bool {
	return s.Death && i%8 == 3 && at >= end/2 && at < end/2+end/6
}

// broken reports whether the server of node i fails at a time.
func (s *Scenario) broken(i int, at, end time.Duration) bool {
	return s.Hole && i%8 == 3 && at >= end/2
}

// capacity is what n nodes can do, in usual nodes.
func (s *Scenario) capacity(n int) (sum float64) {
	for i := range n {
		sum += s.speed(i)
	}
	return sum
}

// offered is what arrives at n nodes, as a share of what they can do.
func (s *Scenario) offered(n int) float64 {
	sum := 0.0
	for i := range n {
		sum += s.load(i, n, false)
	}
	return sum / s.capacity(n)
}
