package filters

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"kecho/channel"
)

func sampleSinks(n int) []channel.Sink {
	sinks := make([]channel.Sink, n)
	for i := range sinks {
		sinks[i].Node = channel.NodeID(i + 1)
	}
	return sinks
}

// TestSampleShares: each sink is picked as often as its weight says, and never
// twice in one sample.
func TestSampleShares(t *testing.T) {
	weigh := func(s *channel.Sink) float64 { return float64(s.Node - 1) } // 0, 1, 2, 3
	for name, c := range map[string]struct {
		weight func(*channel.Sink) float64
		n      int
		want   []float64
	}{
		"equal, one of four":      {nil, 1, []float64{.25, .25, .25, .25}},
		"equal, three of four":    {nil, 3, []float64{.75, .75, .75, .75}},
		"weighted, one of four":   {weigh, 1, []float64{0, 1. / 6, 2. / 6, 3. / 6}},
		"weighted, all of four":   {weigh, 9, []float64{1, 1, 1, 1}},
		"weighted, two of four":   {weigh, 2, []float64{0, .4167, .7333, .85}},
		"weighted, for nobody":    {weigh, -1, []float64{0, 0, 0, 0}},
		"equal, for more thereof": {nil, 9, []float64{1, 1, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			filter := Sample(SampleConfig{NFor: func(*channel.Event) int { return c.n }, Weight: c.weight, Rand: random.Float64})
			const rounds = 20_000
			picked := make([]float64, 4)
			for range rounds {
				seen := map[channel.NodeID]bool{}
				for _, s := range filter(&channel.Event{}, sampleSinks(4)) {
					if seen[s.Node] {
						t.Fatal("picked twice:", s.Node)
					}
					seen[s.Node] = true
					picked[s.Node-1] += 1. / rounds
				}
			}
			for i, share := range picked {
				if math.Abs(share-c.want[i]) > .015 {
					t.Errorf("sink %d is in %.3f of the samples, want %.3f", i+1, share, c.want[i])
				}
			}
		})
	}
}

func TestSampleOne(t *testing.T) {
	sinks := sampleSinks(5)
	got := Sample(SampleConfig{})(&channel.Event{}, slices.Clone(sinks))
	if len(got) != 1 || !slices.ContainsFunc(sinks, func(s channel.Sink) bool { return s.Node == got[0].Node }) {
		t.Error("the zero configuration does not pick one:", got)
	}
	if got := Sample(SampleConfig{})(&channel.Event{}, nil); len(got) != 0 {
		t.Error("of no sinks there are", len(got))
	}
}
