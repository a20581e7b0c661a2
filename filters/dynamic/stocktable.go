package dynamic

import (
	"slices"

	"kecho/channel"
	"kecho/filters"
)

var countParam = Param{Name: "n", Type: "count", Default: "1", About: "how many sinks are kept at most"}

// stockTable is every stock filter that needs no state of its caller, ordered
// by name.
func stockTable() []StockFilter {
	return []StockFilter{
		{
			Name: "fresh", About: "drops nodes that were not heard of lately",
			Params: []Param{{Name: "max-age", Type: "duration", Default: "3s", About: "how long ago is lately"}},
			build:  func(s *Stock, a args) channel.Filter { return filters.Fresh(a.duration("max-age"), s.cfg.Now) },
		},
		{
			Name: "least-loaded", About: "keeps the n nodes of lowest load, best first",
			Params: []Param{countParam},
			build:  buildLeastLoaded,
		},
		{
			Name: "near", About: "keeps the nodes of one zone when there are any",
			Params: []Param{{Name: "zone", Type: "text", About: "whose nodes are near; none: this node's"}},
			build:  buildNear,
		},
		{
			Name: "none", About: "drops every event", In: true,
			build: func(*Stock, args) channel.Filter { return filters.None },
		},
		{
			Name: "origin", About: "keeps the node that submitted what the event answers",
			build: func(*Stock, args) channel.Filter { return filters.ToOrigin },
		},
		{
			Name: "remote", About: "drops this node",
			build: func(*Stock, args) channel.Filter { return filters.RemoteOnly },
		},
		{
			Name: "sample", About: "keeps n nodes at random, in a random order",
			Params: []Param{countParam, {
				Name: "weight", Type: "none|weight|capacity", Default: "none",
				About: "which attribute makes a node be picked more often",
			}},
			build: buildSample,
		},
		{
			Name: "taking", About: "drops nodes that drain or say that they take nothing",
			build: func(*Stock, args) channel.Filter { return filters.Taking },
		},
		{
			Name: "thin", About: "drops nodes by chance, the more often the less they weigh",
			build: func(s *Stock, _ args) channel.Filter { return filters.Thin(filters.ThinConfig{Rand: s.cfg.Rand}) },
		},
		{
			Name: "types", About: "drops events by their type", In: true,
			Params: []Param{
				{Name: "only", Type: "list", About: "types that pass; none: all"},
				{Name: "except", Type: "list", About: "types that do not pass"},
			},
			build: buildTypes,
		},
	}
}

func buildLeastLoaded(s *Stock, a args) channel.Filter {
	cfg := filters.LeastLoadedConfig{N: a.count("n"), Sent: s.cfg.Sent}
	if random := s.cfg.Rand; random != nil {
		cfg.Rand = func(n int) int { return min(int(random()*float64(n)), n-1) }
	}
	return filters.LeastLoaded(cfg)
}

// buildNear is nil without a zone, which Chain skips: every sink is kept.
func buildNear(s *Stock, a args) channel.Filter {
	zone := a["zone"]
	if zone == "" {
		zone = s.cfg.Zone
	}
	return filters.Near(filters.NearConfig{Zone: zone})
}

func buildSample(s *Stock, a args) channel.Filter {
	cfg := filters.SampleConfig{N: a.count("n"), Rand: s.cfg.Rand}
	switch a["weight"] {
	case "weight":
		cfg.Weight = func(s *channel.Sink) float64 { return filters.WeightIn(s.Attrs) }
	case "capacity":
		cfg.Weight = func(s *channel.Sink) float64 {
			places, _ := filters.CapacityIn(s.Attrs)
			return float64(places)
		}
	}
	return filters.Sample(cfg)
}

func buildTypes(_ *Stock, a args) channel.Filter {
	only, except := a.list("only"), a.list("except")
	return func(e *channel.Event, sinks []channel.Sink) []channel.Sink {
		if slices.Contains(except, string(e.Type)) || only != nil && !slices.Contains(only, string(e.Type)) {
			return sinks[:0]
		}
		return sinks
	}
}
