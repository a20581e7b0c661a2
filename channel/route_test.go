package channel_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
	"kecho/channel/channeltest"
)

// far is an event from another cluster.
func far(seq uint64, typ channel.Type, body string) *channel.Event {
	return &channel.Event{
		ID: channel.ID{Source: 77, Seq: seq}, Type: typ, Body: []byte(body), Path: []string{"east"},
		From: channel.Attrs{color.Of("far")}, Attrs: channel.Attrs{tries.Of(3)},
	}
}

func TestForwardGoesToWhoWantsIt(t *testing.T) {
	bubble(t, 4, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		stop := chans[0].WatchInterests(func() {})
		defer stop()
		byType := channeltest.Record(t, chans[1], channel.Match{Type: "a"})
		bySource := channeltest.Record(t, chans[2], channel.Match{Source: 77})
		local := channeltest.Record(t, chans[0], channel.Match{Type: "a", Source: 77})
		time.Sleep(time.Second)
		nodes[0].Describe(color.Of("gateway"))
		for i, typ := range []channel.Type{"a", "b"} {
			if err := chans[0].Forward(t.Context(), far(uint64(i+1), typ, string(typ))); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		equal(t, "by type", byType.Bodies(), []string{"a"})
		equal(t, "by source", bySource.Bodies(), []string{"a", "b"})
		equal(t, "on the node that forwards", local.Bodies(), []string{"a"})
		if n := chans[3].Stats().Received; n != 0 {
			t.Errorf("who wants nothing received %d events", n)
		}
		e := byType.Events()[0]
		from, _ := color.In(e.From)
		if e.ID != (channel.ID{Source: 77, Seq: 1}) || from != "far" || !slices.Equal(e.Path, []string{"east"}) {
			t.Errorf("it arrived as %+v", e)
		}
		for s := range chans[1].Sinks() {
			if c, _ := color.In(s.Attrs); c == "far" {
				t.Error("the gateway is described as the node from which its event came")
			}
		}
		stop()
		time.Sleep(time.Second)
		if err := chans[0].Forward(t.Context(), far(3, "c", "")); err != nil { // the last that was said holds
			t.Errorf("forward when nobody watches any more: %v", err)
		}
	})
}

func TestForwardRefuses(t *testing.T) {
	bubble(t, 2, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		long := make([]string, channel.MaxPath+1)
		for i := range long {
			long[i] = "x"
		}
		for want, change := range map[string]func(*channel.Event){
			"no id":             func(e *channel.Event) { e.ID.Source = 0 },
			"path of 0":         func(e *channel.Event) { e.Path = nil },
			"path of 9":         func(e *channel.Event) { e.Path = long },
			"cluster":           func(e *channel.Event) { e.Path = []string{strings.Repeat("x", 65)} },
			"event type":        func(e *channel.Event) { e.Type = "" },
			"submitted in this": func(e *channel.Event) { e.ID.Source = nodes[1].ID() },
		} {
			e := far(1, "a", "")
			change(e)
			if err := chans[0].Forward(t.Context(), e); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q in it", err, want)
			}
		}
		if err := chans[0].Forward(t.Context(), far(1, "a", "")); !errors.Is(err, channel.ErrNoSink) {
			t.Errorf("nobody wants it: %v", err)
		}
		late := far(2, "a", "")
		late.Deadline = time.Now().Add(-time.Second)
		if err := chans[0].Forward(t.Context(), late); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("its time is over: %v", err)
		}
		if _, err := chans[0].Submit(t.Context(), channel.Event{Type: "a", Path: []string{"east"}}); err == nil {
			t.Error("Submit takes an event with a path")
		}
		if n := chans[0].Stats().Returned; n != 1 {
			t.Errorf("%d events came back, want 1", n)
		}
	})
}

// routed is the head of an event from another cluster.
func routed(source channel.NodeID, name string, path ...string) []any {
	return append(head(source, name, "a"), append([]string{}, path...))
}

func TestEventsFromAnotherClusterOnTheWire(t *testing.T) {
	_, c, _, r := stage(t, 1, 2)
	var got []*channel.Event
	if _, err := c.SubscribeInline(channel.Match{}, func(e *channel.Event) { got = append(got, e.Clone()) }); err != nil {
		t.Fatal(err)
	}
	for _, by := range []channel.NodeID{100, 101, 100} { // the second and third are the first again
		if err := r.Receive(by, time.Now(), pack(t, routed(77, "work", "west", "east")), false); err != nil {
			t.Fatal(err)
		}
	}
	for _, own := range []channel.NodeID{1, 101} {
		if err := r.Receive(100, time.Now(), pack(t, routed(own, "work", "east")), false); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 1 || got[0].ID.Source != 77 || !slices.Equal(got[0].Path, []string{"west", "east"}) {
		t.Errorf("got %v", got)
	}
	if s := c.Stats(); s.Repeated != 2 || s.Returned != 2 {
		t.Errorf("%d repeated and %d returned, want 2 and 2", s.Repeated, s.Returned)
	}
	for want, frame := range map[string][]byte{
		"path of 0":           pack(t, routed(77, "work")),
		"path of 9":           pack(t, routed(77, "work", strings.Split("123456789", "")...)),
		"without a name":      pack(t, routed(77, "work", "")),
		"at most 64":          pack(t, routed(77, "work", strings.Repeat("x", 65))),
		"without a source":    pack(t, routed(0, "work", "east")),
		"the control channel": pack(t, routed(77, "", "east")),
		"fields":              pack(t, append(routed(77, "work", "east"), 1)),
	} {
		if err := r.Receive(100, time.Now(), frame, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}

func TestInterestsOnTheWire(t *testing.T) {
	_, c, _, r := stage(t, 1, 1)
	tell := func(typ string, body any) error {
		return r.Receive(100, time.Now(), append(pack(t, head(100, "", typ)), pack(t, body)...), false)
	}
	said := func() []channel.Interest {
		for _, w := range c.Interests() {
			if w.Node == 100 {
				return w.Interests
			}
		}
		return nil
	}
	one := []any{"work", []any{[]any{[]string{"east"}, []any{[]any{"a", uint64(0)}}}}}
	if err := tell("interests", one); err != nil || said() != nil {
		t.Fatalf("what was not asked for is kept: %v, %v", said(), err)
	}
	defer c.WatchInterests(func() {})()
	if err := tell("interests", one); err != nil {
		t.Fatal(err)
	}
	if got := said(); len(got) != 1 || !slices.Equal(got[0].Path, []string{"east"}) || !slices.Equal(got[0].Terms, []channel.Match{{Type: "a"}}) {
		t.Errorf("it wants %v", got)
	}
	if err := tell("asks", []any{[]string{"work", "unknown"}}); err != nil {
		t.Error(err)
	}
	for name, body := range map[string]any{
		"too many":   []any{"work", make([][2]any, channel.MaxInterests+1)},
		"long type":  []any{"work", []any{[]any{nil, []any{[]any{strings.Repeat("x", 65), uint64(0)}}}}},
		"no cluster": []any{"work", []any{[]any{[]string{""}, nil}}},
		"long path":  []any{"work", []any{[]any{make([]string, channel.MaxPath+1), nil}}},
		"not a list": []any{"work", 5},
		"no array":   5,
	} {
		if err := tell("interests", body); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	r.LinkDown(100, nil)
	if got := said(); got != nil {
		t.Errorf("after its link went down it wants %v", got)
	}
}

func TestInterestsAreToldWithoutAStorm(t *testing.T) {
	bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		var calls atomic.Int64
		defer chans[0].WatchInterests(func() { calls.Add(1) })()
		time.Sleep(time.Second)
		calls.Store(0)
		for range 1000 {
			sub, err := chans[1].SubscribeInline(channel.Match{Type: "a"}, func(*channel.Event) {})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
			sub.Close()
		}
		time.Sleep(time.Second)
		// It lasts a second, in which each 50 ms is told what there is then.
		if n := calls.Load(); n < 2 || n > 50 {
			t.Errorf("%d calls for 2000 changes in a second", n)
		}
	})
}

func TestForwardingAllocatesNothing(t *testing.T) {
	if racing {
		t.Skip("sync.Pool forgets under the race detector")
	}
	_, c, _, r := stage(t, 1, 8)
	defer c.WatchInterests(func() {})()
	for i := range 8 {
		body := pack(t, []any{"work", []any{[]any{nil, []any{[]any{"request", uint64(0)}}}}})
		if err := r.Receive(channel.NodeID(100+i), time.Now(), append(pack(t, head(channel.NodeID(100+i), "", "interests")), body...), false); err != nil {
			t.Fatal(err)
		}
	}
	e := typical()
	e.ID, e.Path, e.From = channel.ID{Source: 77}, []string{"east"}, channel.Attrs{color.Of("far")}
	if got := testing.AllocsPerRun(1000, func() {
		e.ID.Seq++
		if err := c.Forward(t.Context(), &e); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("forwarding to 8 sinks allocates %v times, want 0", got)
	}
}

// BenchmarkForward is Forward beside Submit, to 1 and to 8 sinks over links that
// take everything.
func BenchmarkForward(b *testing.B) {
	for _, sinks := range []int{1, 8} {
		_, c, _, r := stage(b, 1, sinks)
		defer c.WatchInterests(func() {})()
		for i := range sinks {
			body := pack(b, []any{"work", []any{[]any{nil, []any{[]any{"request", uint64(0)}}}}})
			if err := r.Receive(channel.NodeID(100+i), time.Now(), append(pack(b, head(channel.NodeID(100+i), "", "interests")), body...), false); err != nil {
				b.Fatal(err)
			}
		}
		e := typical()
		b.Run(fmt.Sprintf("submit/%d", sinks), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Submit(b.Context(), e); err != nil {
					b.Fatal(err)
				}
			}
		})
		e.ID, e.Path, e.From = channel.ID{Source: 77}, []string{"east"}, channel.Attrs{color.Of("far")}
		b.Run(fmt.Sprintf("forward/%d", sinks), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.ID.Seq++
				if err := c.Forward(b.Context(), &e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
