package filters

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kecho/channel"
)

// start is the time of every test's clock.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// drawAttrs draws what a node may say of itself, nonsense included.
func drawAttrs(t *rapid.T) channel.Attrs {
	var attrs channel.Attrs
	switch rapid.IntRange(0, 5).Draw(t, "load kind") {
	case 0: // silent
	case 1: // of the wrong type
		attrs = append(attrs, channel.Key[int64](Load).Of(0))
	case 2: // poisoned
		bad := []float64{math.NaN(), -1, math.Inf(-1), math.Inf(1), 1e308, math.Copysign(0, -1)}
		attrs = append(attrs, Load.Of(rapid.SampledFrom(bad).Draw(t, "bad load")))
	default: // few values, so that there are ties
		attrs = append(attrs, Load.Of(float64(rapid.IntRange(0, 3).Draw(t, "load"))/2))
	}
	if rapid.Bool().Draw(t, "has capacity") {
		places := []int64{0, 1, 2, 4, -1, math.MaxInt64, math.MinInt64}
		attrs = append(attrs, Capacity.Of(rapid.SampledFrom(places).Draw(t, "capacity")))
	}
	if rapid.Bool().Draw(t, "has draining") {
		attrs = append(attrs, Draining.Of(rapid.Bool().Draw(t, "draining")))
	}
	if rapid.IntRange(0, 3).Draw(t, "has weight") == 0 {
		weights := []float64{0, 1, 0.01, 100, math.NaN(), -1}
		attrs = append(attrs, Weight.Of(rapid.SampledFrom(weights).Draw(t, "weight")))
	}
	return attrs
}

// drawSinks draws up to eight sinks of the nodes 1 to 8, in any order.
func drawSinks(t *rapid.T) []channel.Sink {
	nodes := rapid.SliceOfNDistinct(rapid.Uint64Range(1, 8), 0, 8, rapid.ID).Draw(t, "nodes")
	sinks := make([]channel.Sink, len(nodes))
	for i, node := range nodes {
		age := time.Duration(rapid.IntRange(-1, 8).Draw(t, "age")) * time.Second / 2
		sinks[i] = channel.Sink{
			Node:  channel.NodeID(node),
			Local: rapid.IntRange(0, 3).Draw(t, "local") == 0,
			Attrs: drawAttrs(t),
			Heard: start.Add(-age),
		}
	}
	return sinks
}

var types = []channel.Type{"request", "answer", "body", "cancel"}

// drawID draws one of a few ids, the zero ID among them.
func drawID(t *rapid.T, label string) channel.ID {
	source := rapid.Uint64Range(0, 4).Draw(t, label+" source")
	if source == 0 {
		return channel.ID{}
	}
	return channel.ID{Source: channel.NodeID(source), Seq: rapid.Uint64Range(1, 3).Draw(t, label+" seq")}
}

func drawEvent(t *rapid.T) *channel.Event {
	return &channel.Event{
		Type: rapid.SampledFrom(types).Draw(t, "type"),
		ID:   drawID(t, "id"),
		Re:   drawID(t, "re"),
	}
}

// naive is the slowest filter that keeps what want says.
func naive(sinks []channel.Sink, want func(s channel.Sink) bool) []channel.NodeID {
	kept := []channel.NodeID{}
	for _, s := range sinks {
		if want(s) {
			kept = append(kept, s.Node)
		}
	}
	return kept
}

func nodesOf(sinks []channel.Sink) []channel.NodeID {
	nodes := []channel.NodeID{}
	for _, s := range sinks {
		nodes = append(nodes, s.Node)
	}
	return nodes
}

// mustKeep runs f on a copy of sinks and compares the nodes that are left, and
// their order, with want. It checks too that f made no sink up.
func mustKeep(t *rapid.T, f channel.Filter, e *channel.Event, sinks []channel.Sink, want []channel.NodeID) {
	got := f(e, slices.Clone(sinks))
	if !slices.Equal(nodesOf(got), want) {
		t.Fatalf("kept %v, want %v", nodesOf(got), want)
	}
	for _, s := range got {
		i := slices.IndexFunc(sinks, func(have channel.Sink) bool { return have.Node == s.Node })
		have := sinks[i]
		if s.Local != have.Local || !s.Heard.Equal(have.Heard) || len(s.Attrs) != len(have.Attrs) {
			t.Fatalf("sink %v is not the one given: %+v, want %+v", s.Node, s, have)
		}
	}
}

// someSinks is n remote sinks with every attribute, the i-th with load i/n.
func someSinks(n int) []channel.Sink {
	sinks := make([]channel.Sink, n)
	for i := range sinks {
		sinks[i] = channel.Sink{
			Node:  channel.NodeID(i + 1),
			Heard: start,
			Attrs: channel.Attrs{
				Name.Of("web"), Load.Of(float64(i) / float64(n)), Capacity.Of(4), Draining.Of(false),
			},
		}
	}
	return sinks
}

// everyFilter has each filter once, set up so that it has work to do with
// events like anEvent.
func everyFilter() []struct {
	Name   string
	Filter channel.Filter
} {
	now := func() time.Time { return start.Add(time.Second) }
	chosen := NewChosen(ChosenConfig{})
	chosen.Record(&channel.Event{ID: channel.ID{Source: 1, Seq: 1}}, someSinks(2))
	first := NewFirstAnswer(FirstAnswerConfig{Heads: []channel.Type{"answer"}})
	first.Open(channel.ID{Source: 1, Seq: 1})
	sent := func(channel.NodeID) int { return 1 }
	return []struct {
		Name   string
		Filter channel.Filter
	}{
		{"None", None},
		{"RemoteOnly", RemoteOnly},
		{"Where", Where(func(_ *channel.Event, s *channel.Sink) bool { return s.Node != 3 })},
		{"Fresh", Fresh(0, now)},
		{"Taking", Taking},
		{"LeastLoaded1", LeastLoaded(LeastLoadedConfig{Sent: sent})},
		{"LeastLoaded3", LeastLoaded(LeastLoadedConfig{N: 3, Sent: sent})},
		{"Sample4", Sample(SampleConfig{N: 4})},
		{"SampleWeighted4", Sample(SampleConfig{N: 4, Weight: func(s *channel.Sink) float64 { return float64(s.Node) }})},
		{"Near", Near(NearConfig{Zone: "a"})},
		{"Thin", Thin(ThinConfig{})},
		{"ToOrigin", ToOrigin},
		{"ByType", ByType(map[channel.Type]channel.Filter{"answer": ToOrigin}, None)},
		{"ChosenRecord", chosen.Record},
		{"ChosenTo", chosen.To},
		{"ChosenFrom", chosen.From},
		{"FirstAnswer", first.Filter},
		{"Losers", first.Losers},
		{"Chain", Chain(RemoteOnly, Taking, Fresh(0, now),
			LeastLoaded(LeastLoadedConfig{N: 2, Sent: sent}), chosen.Record)},
	}
}

func anEvent() *channel.Event {
	return &channel.Event{
		Type: "answer",
		ID:   channel.ID{Source: 2, Seq: 7},
		Re:   channel.ID{Source: 1, Seq: 1},
	}
}

func BenchmarkFilters(b *testing.B) {
	for _, f := range everyFilter() {
		b.Run(f.Name, func(b *testing.B) {
			e, given := anEvent(), someSinks(8)
			sinks := slices.Clone(given)
			b.ReportAllocs()
			for b.Loop() {
				copy(sinks, given)
				f.Filter(e, sinks)
			}
		})
	}
}
