package filters

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kecho/channel"
)

func TestChain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, sinks := drawEvent(t), drawSinks(t)
		dropped := rapid.SliceOfN(rapid.Uint64Range(0, 8), 0, 4).Draw(t, "dropped") // 0: a nil filter
		var fs []channel.Filter
		var calls, wantCalls int
		left := slices.Clone(sinks)
		for _, node := range dropped {
			if node == 0 {
				fs = append(fs, nil)
				continue
			}
			keep := Where(func(_ *channel.Event, s *channel.Sink) bool { return uint64(s.Node) != node })
			fs = append(fs, func(e *channel.Event, sinks []channel.Sink) []channel.Sink {
				calls++
				return keep(e, sinks)
			})
			if len(left) > 0 {
				wantCalls++
			}
			left = slices.DeleteFunc(left, func(s channel.Sink) bool { return uint64(s.Node) == node })
		}
		want := naive(sinks, func(s channel.Sink) bool { return !slices.Contains(dropped, uint64(s.Node)) })
		mustKeep(t, Chain(fs...), e, sinks, want)
		if calls != wantCalls {
			t.Fatalf("%d filters ran, want %d", calls, wantCalls)
		}
	})
}

func TestChainKeepsItsOwnList(t *testing.T) {
	fs := []channel.Filter{nil, RemoteOnly}
	f := Chain(fs...)
	fs[1] = None
	if got := f(anEvent(), someSinks(3)); len(got) != 3 {
		t.Errorf("kept %d of 3 remote sinks after the caller's slice changed", len(got))
	}
	if fs[0] != nil {
		t.Error("Chain wrote to the caller's slice")
	}
}

func TestNone(t *testing.T) {
	if got := None(anEvent(), someSinks(3)); len(got) != 0 {
		t.Errorf("kept %d sinks", len(got))
	}
}
