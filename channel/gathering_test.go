package channel

import "testing"

// What a request keeps does not grow with the sources that peers invent.
func TestAGatheringKeepsOnlyWhoWasAsked(t *testing.T) {
	g := newGathering(ID{1, 1}, Gather{Count: 2})
	g.expect(7, 8)
	for i := range NodeID(10_000) {
		g.take(&Event{ID: ID{100 + i, 1}, Path: []string{"east"}}, 7)
		g.take(&Event{ID: ID{100 + i, 2}}, 100+i)
		g.finish(100+i, 1)
		g.await(100+i, false)
	}
	if len(g.sinks) != 2 || len(g.answers) != 2 || g.pending != 2 {
		t.Errorf("%d nodes and %d answers are kept, %d waited for, want 2 of each", len(g.sinks), len(g.answers), g.pending)
	}
}

// A gateway that does not say that it is to be awaited, of an earlier release, ends
// the wait for its node; of one that does, each part ends for itself.
func TestAGatheringCountsGatewaysApart(t *testing.T) {
	far := &Event{ID: ID{100, 1}, Path: []string{"east"}}
	near := &Event{ID: ID{7, 1}}
	for name, c := range map[string]struct {
		do   func(g *gathering)
		over bool
	}{
		"earlier: done":                     {func(g *gathering) { g.finish(7, 0) }, true},
		"earlier: done, one is on its way":  {func(g *gathering) { g.finish(7, 1) }, false},
		"earlier: done, and it came":        {func(g *gathering) { g.finish(7, 1); g.take(far, 7) }, true},
		"alone: nothing yet":                {func(g *gathering) { g.await(7, true) }, false},
		"alone: done":                       {func(g *gathering) { g.await(7, true); g.finish(7, 0) }, true},
		"alone: done, one is on its way":    {func(g *gathering) { g.await(7, true); g.finish(7, 1) }, false},
		"alone: done, and it came":          {func(g *gathering) { g.await(7, true); g.finish(7, 1); g.take(far, 7) }, true},
		"both: the gateway is done":         {func(g *gathering) { g.await(7, false); g.finish(7, 0) }, false},
		"both: the application answered":    {func(g *gathering) { g.await(7, false); g.take(near, 7) }, false},
		"both: it answered, one is missing": {func(g *gathering) { g.await(7, false); g.take(near, 7); g.finish(7, 1) }, false},
		"both: each":                        {func(g *gathering) { g.await(7, false); g.finish(7, 1); g.take(near, 7); g.take(far, 7) }, true},
		"two gateways, one is done":         {func(g *gathering) { g.await(7, true); g.await(7, true); g.finish(7, 0) }, false},
		"two gateways":                      {func(g *gathering) { g.await(7, true); g.await(7, true); g.finish(7, 0); g.finish(7, 0) }, true},
		"the node is gone":                  {func(g *gathering) { g.await(7, false); g.gone(7) }, true},
		"gone with answers on their way":    {func(g *gathering) { g.await(7, false); g.finish(7, 5); g.gone(7) }, true},
	} {
		g := newGathering(ID{1, 1}, Gather{})
		g.expect(7)
		c.do(g)
		if _, end := g.state(); (end == ByAll) != c.over || g.pending < 0 {
			t.Errorf("%s: ended by %v, %d waited for", name, end, g.pending)
		}
	}
}
