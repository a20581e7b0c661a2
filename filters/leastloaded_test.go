package filters

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"kecho/channel"
)

// naiveLoads is the effective load of each node, from the words of
// LeastLoaded's comment.
func naiveLoads(sinks []channel.Sink, sent map[channel.NodeID]int) map[channel.NodeID]float64 {
	loads := make(map[channel.NodeID]float64)
	worst := 0.0
	for _, s := range sinks {
		if v, ok := Load.In(s.Attrs); ok && v >= 0 {
			loads[s.Node] = math.Min(v, 1e6)
			worst = math.Max(worst, loads[s.Node])
		}
	}
	for _, s := range sinks {
		if _, ok := loads[s.Node]; !ok {
			loads[s.Node] = worst
		}
		places, ok := Capacity.In(s.Attrs)
		if !ok || places < 1 {
			places = 1
		}
		loads[s.Node] += float64(sent[s.Node]) / math.Min(float64(places), 1e6)
	}
	return loads
}

func TestLeastLoaded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, sinks := drawEvent(t), drawSinks(t)
		sent := make(map[channel.NodeID]int)
		for _, s := range sinks {
			sent[s.Node] = rapid.IntRange(0, 3).Draw(t, "sent")
		}
		n := rapid.IntRange(0, 9).Draw(t, "n")
		cfg := LeastLoadedConfig{N: n, Sent: func(node channel.NodeID) int { return sent[node] }}
		want := min(max(n, 1), len(sinks))
		if rapid.Bool().Draw(t, "by event") {
			cfg.N, cfg.NFor = 5, func(*channel.Event) int { return n - 1 }
			want = min(max(n-1, 0), len(sinks))
		}
		got := LeastLoaded(cfg)(e, slices.Clone(sinks))

		loads := naiveLoads(sinks, sent)
		sorted := slices.Sorted(func(yield func(float64) bool) {
			for _, load := range loads {
				if !yield(load) {
					return
				}
			}
		})
		if len(got) != want {
			t.Fatalf("kept %d sinks, want %d", len(got), want)
		}
		seen := make(map[channel.NodeID]bool)
		for i, s := range got {
			if load, ok := loads[s.Node]; !ok || load != sorted[i] || seen[s.Node] {
				t.Fatalf("sink %d of %v has load %v (given %v, again %v), want %v",
					i, nodesOf(got), load, ok, seen[s.Node], sorted[i])
			}
			seen[s.Node] = true
		}
	})
}

// Nobody gains by lying: a node with a claim that cannot be true is not taken
// before an honest one, and a silent node not before the busiest.
func TestLeastLoadedBelievesNoNonsense(t *testing.T) {
	f := LeastLoaded(LeastLoadedConfig{N: 2})
	for _, lie := range []channel.Attrs{nil, {Load.Of(math.NaN())}, {Load.Of(-5)}, {Load.Of(math.Inf(-1))}} {
		sinks := []channel.Sink{
			{Node: 1, Attrs: lie},
			{Node: 2, Attrs: channel.Attrs{Load.Of(3)}},
			{Node: 3, Attrs: channel.Attrs{Load.Of(2.5)}},
			{Node: 4, Attrs: channel.Attrs{Load.Of(2)}},
		}
		if got := nodesOf(f(anEvent(), sinks)); !slices.Equal(got, []channel.NodeID{4, 3}) {
			t.Errorf("claim %v: kept %v, want [4 3]", lie, got)
		}
	}
}

// A node that always says 0 gets no more than its turn while what was sent to
// it is counted.
func TestLeastLoadedCountsWhatWasSent(t *testing.T) {
	sent := make(map[channel.NodeID]int)
	f := LeastLoaded(LeastLoadedConfig{Sent: func(node channel.NodeID) int { return sent[node] }})
	for range 100 {
		sinks := []channel.Sink{
			{Node: 1, Attrs: channel.Attrs{Load.Of(0), Capacity.Of(1)}},
			{Node: 2, Attrs: channel.Attrs{Load.Of(0), Capacity.Of(3)}},
		}
		sent[f(anEvent(), sinks)[0].Node]++
	}
	if sent[1] < 24 || sent[1] > 26 {
		t.Errorf("%d of 100 went to the node with a quarter of the places", sent[1])
	}
}

func TestLeastLoadedBreaksTiesAtRandom(t *testing.T) {
	f := LeastLoaded(LeastLoadedConfig{N: 2, Rand: rand.New(rand.NewPCG(1, 2)).IntN})
	first, second := make(map[channel.NodeID]int), make(map[channel.NodeID]int)
	for range 4000 {
		var sinks []channel.Sink
		for _, node := range []channel.NodeID{5, 6, 1, 2, 3, 4} {
			load := 0.5
			if node > 4 {
				load = 0.9 // equal too, but worse: no ties to count
			}
			sinks = append(sinks, channel.Sink{Node: node, Attrs: channel.Attrs{Load.Of(load)}})
		}
		got := f(anEvent(), sinks)
		first[got[0].Node]++
		second[got[1].Node]++
	}
	for node := channel.NodeID(1); node <= 4; node++ {
		if n := first[node]; n < 900 || n > 1100 {
			t.Errorf("node %d was first %d times of 4000, want about 1000", node, n)
		}
		if n := second[node]; n < 900 || n > 1100 {
			t.Errorf("node %d was second %d times of 4000, want about 1000", node, n)
		}
	}
}

func TestLeastLoadedConcurrently(t *testing.T) {
	f := LeastLoaded(LeastLoadedConfig{N: 2, Sent: func(channel.NodeID) int { return 0 }})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				got := f(anEvent(), someSinks(2+(g+i)%20)) // others' scratch must not show
				if nodes := nodesOf(got); !slices.Equal(nodes, []channel.NodeID{1, 2}) {
					t.Errorf("kept %v, want [1 2]", nodes)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkLeastLoadedOf64(b *testing.B) {
	f := LeastLoaded(LeastLoadedConfig{N: 4, Sent: func(channel.NodeID) int { return 1 }})
	e, given := anEvent(), someSinks(64)
	sinks := slices.Clone(given)
	b.ReportAllocs()
	for b.Loop() {
		copy(sinks, given)
		f(e, sinks)
	}
}
