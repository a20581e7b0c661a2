package filters

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kecho/channel"
)

// drawZones gives each sink a zone, none, or what is no zone.
func drawZones(t *rapid.T, sinks []channel.Sink) {
	for i := range sinks {
		switch rapid.IntRange(0, 3).Draw(t, "zone") {
		case 0:
			sinks[i].Attrs = append(sinks[i].Attrs, Zone.Of("a"))
		case 1:
			sinks[i].Attrs = append(sinks[i].Attrs, Zone.Of("b"))
		case 2:
			sinks[i].Attrs = append(sinks[i].Attrs, channel.Key[int64](Zone).Of(1))
		}
	}
}

func TestNear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, sinks, enough := drawEvent(t), drawSinks(t), rapid.IntRange(0, 4).Draw(t, "enough")
		drawZones(t, sinks)
		isNear := func(s channel.Sink) bool { zone, _ := Zone.In(s.Attrs); return zone == "a" }
		near := naive(sinks, isNear)
		want := near
		if len(near) == 0 || len(near) < enough {
			far := naive(sinks, func(s channel.Sink) bool { return !isNear(s) })
			want = append(slices.Clone(near), far...)
		}
		got := nodesOf(Near(NearConfig{Zone: "a", Enough: func(_ *channel.Event, near []channel.Sink) bool {
			return len(near) >= enough
		}})(e, slices.Clone(sinks)))
		if !slices.Equal(got[:min(len(near), len(got))], near) {
			t.Fatalf("the near ones, %v, are not the first of %v", near, got)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("kept %v, want %v", got, want)
		}
	})
}

// TestNearNowhere: a node in no zone has nobody near, and a node that says none
// is near to nobody.
func TestNearNowhere(t *testing.T) {
	if Near(NearConfig{}) != nil {
		t.Error("without a zone there is something to filter")
	}
	sinks := []channel.Sink{{Node: 1}, {Node: 2, Attrs: channel.Attrs{Zone.Of("")}}, {Node: 3, Attrs: channel.Attrs{Zone.Of("b")}}}
	if got := Near(NearConfig{Zone: "a"})(&channel.Event{}, sinks); len(got) != 3 {
		t.Error("nobody is near, and not all are left:", nodesOf(got))
	}
	sinks = append(sinks, channel.Sink{Node: 4, Attrs: channel.Attrs{Zone.Of("a")}})
	if got := nodesOf(Near(NearConfig{Zone: "a"})(&channel.Event{}, sinks)); !slices.Equal(got, []channel.NodeID{4}) {
		t.Error("the near one is not the only one left:", got)
	}
}
