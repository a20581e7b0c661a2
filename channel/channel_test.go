package channel_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
	"kecho/channel/channeltest"
)

const (
	color = channel.Key[string]("color")
	load  = channel.Key[float64]("load")
	tries = channel.Key[int64]("tries")
	fresh = channel.Key[bool]("fresh")
)

// bubble runs a test with n nodes that all have the channel "work" open.
func bubble(t *testing.T, n int, test func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, hub *channeltest.Hub)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		nodes, hub := channeltest.Nodes(t, n)
		test(t, nodes, channeltest.Open(t, "work", nodes...), hub)
	})
}

func submit(t testing.TB, c *channel.Channel, e channel.Event) channel.ID {
	t.Helper()
	id, err := c.Submit(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func equal(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestSubmitArrivesWhole(t *testing.T) {
	bubble(t, 2, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		got := channeltest.Record(t, chans[1], channel.Match{})
		sent := channel.Event{
			Type:     "everything",
			Priority: channel.Urgent,
			Deadline: time.Now().Add(3 * time.Second),
			Re:       channel.ID{Source: 7, Seq: 1 << 40},
			Attrs:    channel.Attrs{color.Of("rød"), load.Of(0.4), tries.Of(-3), fresh.Of(true)},
			Body:     []byte("body"),
		}
		id := submit(t, chans[0], sent)
		e := got.Wait(t, 1)[0]
		if id.Source != nodes[0].ID() || e.ID != id || e.Type != sent.Type || e.Priority != sent.Priority || e.Re != sent.Re || string(e.Body) != "body" {
			t.Errorf("got %+v, sent %+v", e, sent)
		}
		if !slices.Equal(e.Attrs, sent.Attrs) {
			t.Errorf("attributes: got %v, want %v", e.Attrs, sent.Attrs)
		}
		if !e.Deadline.Equal(sent.Deadline) {
			t.Errorf("deadline: got %v, want %v: no time has passed", e.Deadline, sent.Deadline)
		}
		submit(t, chans[0], channel.Event{Type: "nothing"})
		e = got.Wait(t, 2)[1]
		if !e.Deadline.IsZero() || !e.Re.IsZero() || e.Priority != channel.Normal || len(e.Attrs)+len(e.Body)+len(e.From) > 0 {
			t.Errorf("an empty event got something of the one before: %+v", e)
		}
	})
}

func TestMatch(t *testing.T) {
	bubble(t, 3, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		from := nodes[0].ID()
		got := map[string]*channeltest.Recorder{
			"type":   channeltest.Record(t, chans[2], channel.Match{Type: "a"}),
			"source": channeltest.Record(t, chans[2], channel.Match{Source: from}),
			"both":   channeltest.Record(t, chans[2], channel.Match{Type: "a", Source: from}),
			"any":    channeltest.Record(t, chans[2], channel.Match{}),
		}
		for i, c := range chans[:2] {
			for _, typ := range []channel.Type{"a", "b"} {
				submit(t, c, channel.Event{Type: typ, Body: fmt.Appendf(nil, "%s%d", typ, i+1)})
				synctest.Wait() // sources are in no order among each other
			}
		}
		for name, want := range map[string][]string{
			"type": {"a1", "a2"}, "source": {"a1", "b1"}, "both": {"a1"}, "any": {"a1", "b1", "a2", "b2"},
		} {
			equal(t, name, got[name].Bodies(), want)
		}
	})
}

func TestOrder(t *testing.T) {
	bubble(t, 4, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		got := channeltest.Record(t, chans[0], channel.Match{})
		const each = 300
		var wg sync.WaitGroup
		for _, c := range chans { // the first one's own events too
			wg.Go(func() {
				for i := range each {
					p := channel.Priority(i%3 - 1)
					submit(t, c, channel.Event{Type: "n", Priority: p, Attrs: channel.Attrs{tries.Of(int64(i))}})
					if i%32 == 0 {
						time.Sleep(time.Millisecond) // lets the queues drain
					}
				}
			})
		}
		wg.Wait()
		type stream struct {
			source channel.NodeID
			p      channel.Priority
		}
		last := map[stream]int64{}
		for _, e := range got.Wait(t, each*len(chans)) {
			s := stream{e.ID.Source, e.Priority}
			i, _ := tries.In(e.Attrs)
			if before, ok := last[s]; ok && i <= before {
				t.Fatalf("%v: %d came after %d", s, i, before)
			}
			last[s] = i
		}
		if len(last) != 3*len(nodes) {
			t.Errorf("events of %d sources and priorities, want %d", len(last), 3*len(nodes))
		}
	})
}

func TestLocalSink(t *testing.T) {
	bubble(t, 2, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		nodes[0].Describe(color.Of("red"))
		here := channeltest.Record(t, chans[0], channel.Match{Type: "a"})
		there := channeltest.Record(t, chans[1], channel.Match{})
		var sinks []string
		chans[0].SetOut(func(_ *channel.Event, s []channel.Sink) []channel.Sink {
			for _, sink := range s {
				c, _ := color.In(sink.Attrs)
				sinks = append(sinks, fmt.Sprint(sink.Node, sink.Local, c))
			}
			return s
		})
		submit(t, chans[0], channel.Event{Type: "a"})
		submit(t, chans[0], channel.Event{Type: "b"})
		synctest.Wait()
		if len(here.Events()) != 1 || len(there.Events()) != 2 {
			t.Errorf("%d events here and %d there, want 1 and 2", len(here.Events()), len(there.Events()))
		}
		if c, _ := color.In(here.Events()[0].From); c != "red" {
			t.Errorf("From of a local event is %v", here.Events()[0].From)
		}
		two, one := nodes[1].ID(), nodes[0].ID()
		equal(t, "sinks", sinks, []string{fmt.Sprint(two, false, ""), fmt.Sprint(one, true, "red"), fmt.Sprint(two, false, "")})
	})
}

// A handler that answers in place must not be overtaken by its answer.
func TestLocalAnswerComesAfterTheQuestion(t *testing.T) {
	bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		there := channeltest.Record(t, chans[1], channel.Match{})
		_, err := chans[0].SubscribeInline(channel.Match{Type: "question"}, func(e *channel.Event) {
			submit(t, chans[0], channel.Event{Type: "answer", Re: e.ID, Body: []byte("answer")})
		})
		if err != nil {
			t.Fatal(err)
		}
		submit(t, chans[0], channel.Event{Type: "question", Body: []byte("question")})
		there.Wait(t, 2)
		equal(t, "there", there.Bodies(), []string{"question", "answer"})
	})
}

func TestFiltersPick(t *testing.T) {
	bubble(t, 3, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		two := channeltest.Record(t, chans[1], channel.Match{})
		three := channeltest.Record(t, chans[2], channel.Match{})
		chans[0].SetOut(func(e *channel.Event, sinks []channel.Sink) []channel.Sink {
			return slices.DeleteFunc(sinks, func(s channel.Sink) bool { return s.Node != nodes[1].ID() })
		})
		submit(t, chans[0], channel.Event{Type: "a"})
		synctest.Wait()
		chans[0].SetOut(nil)
		chans[1].SetIn(func(e *channel.Event, sinks []channel.Sink) []channel.Sink {
			if len(sinks) != 1 || !sinks[0].Local || sinks[0].Node != nodes[1].ID() {
				t.Errorf("IN-filter sees %v", sinks)
			}
			return sinks[:0]
		})
		submit(t, chans[0], channel.Event{Type: "b"})
		synctest.Wait()
		if n, m := len(two.Events()), len(three.Events()); n != 1 || m != 1 {
			t.Errorf("%d and %d events, want 1 and 1", n, m)
		}
		if s := chans[1].Stats(); s.Received != 2 || s.Filtered != 1 || s.Delivered != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

// Each event must see the old filter or the new one, on both sides, whole.
func TestFilterSwapWhileEventsFlow(t *testing.T) {
	bubble(t, 3, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		odd := channeltest.Record(t, chans[1], channel.Match{})
		even := channeltest.Record(t, chans[2], channel.Match{})
		only := func(id channel.NodeID) channel.Filter {
			return func(_ *channel.Event, sinks []channel.Sink) []channel.Sink {
				return slices.DeleteFunc(sinks, func(s channel.Sink) bool { return s.Node != id })
			}
		}
		pass := func(_ *channel.Event, sinks []channel.Sink) []channel.Sink { return sinks }
		filters := []channel.Filter{only(nodes[1].ID()), only(nodes[2].ID())}
		chans[0].SetOut(filters[0])
		const events = 1000
		var wg sync.WaitGroup
		stop := make(chan struct{})
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					chans[0].SetOut(filters[i%2])
					chans[1].SetIn([]channel.Filter{pass, nil}[i%2])
				}
			}
		})
		for i := range events {
			submit(t, chans[0], channel.Event{Type: "n", Priority: channel.Bulk, Attrs: channel.Attrs{tries.Of(int64(i))}})
		}
		close(stop)
		wg.Wait()
		synctest.Wait()
		seen := map[int64]int{}
		for _, e := range append(odd.Events(), even.Events()...) {
			i, _ := tries.In(e.Attrs)
			seen[i]++
		}
		lost := 0 // never: a queue that overflows here would hide a bug
		for i := range int64(events) {
			if seen[i] != 1 {
				lost++
			}
		}
		if lost > 0 || len(odd.Events()) == 0 {
			t.Errorf("%d of %d events did not arrive exactly once; %d and %d arrived", lost, events, len(odd.Events()), len(even.Events()))
		}
	})
}

func TestSubmitErrors(t *testing.T) {
	bubble(t, 2, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, hub *channeltest.Hub) {
		c := chans[0]
		long := strings.Repeat("x", channel.MaxText+1)
		many := make(channel.Attrs, channel.MaxAttrs+1)
		for i := range many {
			many[i] = tries.Of(1)
		}
		var wide channel.Attrs
		for i := range channel.MaxAttrs {
			wide = append(wide, channel.Key[string](fmt.Sprintf("%064d", i)).Of(long[1:]))
		}
		for name, e := range map[string]channel.Event{
			"no type":         {},
			"long type":       {Type: channel.Type(long[:channel.MaxName+1])},
			"priority":        {Type: "a", Priority: 2},
			"low priority":    {Type: "a", Priority: -2},
			"foreign id":      {Type: "a", ID: channel.ID{Source: 99, Seq: 1}},
			"zero attribute":  {Type: "a", Attrs: channel.Attrs{{}}},
			"typed nothing":   {Type: "a", Attrs: channel.Attrs{{Name: "a"}}},
			"attribute name":  {Type: "a", Attrs: channel.Attrs{channel.Key[bool](long[:channel.MaxName+1]).Of(true)}},
			"large: text":     {Type: "a", Attrs: channel.Attrs{color.Of(long)}},
			"large: many":     {Type: "a", Attrs: many},
			"large: body":     {Type: "a", Body: make([]byte, channel.MaxBody+1)},
			"late: deadline":  {Type: "a", Deadline: time.Now()},
			"late: long past": {Type: "a", Deadline: time.Now().Add(-time.Hour)},
		} {
			_, err := c.Submit(t.Context(), e)
			switch {
			case err == nil:
				t.Errorf("%s: no error", name)
			case strings.HasPrefix(name, "large") && !errors.Is(err, channel.ErrTooLarge):
				t.Errorf("%s: %v, want ErrTooLarge", name, err)
			case strings.HasPrefix(name, "late") && !errors.Is(err, context.DeadlineExceeded):
				t.Errorf("%s: %v, want context.DeadlineExceeded", name, err)
			}
		}
		if s := c.Stats(); s.Submitted != 0 || s.Late != 2 {
			t.Errorf("stats %+v", s)
		}

		// What fits one by one can be too large together: the peer must not
		// get it, or it would cut the link.
		if err := nodes[0].Describe(wide[:31]...); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Submit(t.Context(), channel.Event{Type: "a", Attrs: wide}); !errors.Is(err, channel.ErrTooLarge) {
			t.Errorf("large head: %v, want ErrTooLarge", err)
		}
		if _, err := c.Submit(t.Context(), channel.Event{Type: "a", Attrs: wide[:20], Body: make([]byte, channel.MaxBody)}); err != nil {
			t.Errorf("large, but not too large: %v", err)
		}
		synctest.Wait()
		if n := sinkCount(c); n != 1 {
			t.Errorf("%d sinks after that, want 1", n)
		}

		c.SetOut(func(*channel.Event, []channel.Sink) []channel.Sink { return nil })
		id, err := c.Submit(t.Context(), channel.Event{Type: "a"})
		if !errors.Is(err, channel.ErrNoSink) || id.IsZero() {
			t.Errorf("discarding filter: %v, %v, want an id and ErrNoSink", id, err)
		}
		hub.Down(1, 2)
		synctest.Wait()
		c.SetOut(nil)
		if _, err := c.Submit(t.Context(), channel.Event{Type: "a"}); !errors.Is(err, channel.ErrNoSink) {
			t.Errorf("nobody there: %v, want ErrNoSink", err)
		}
		if s := c.Stats(); s.NoSink != 2 {
			t.Errorf("stats %+v", s)
		}
		c.Close()
		if _, err := c.Submit(t.Context(), channel.Event{Type: "a"}); !errors.Is(err, channel.ErrClosed) {
			t.Errorf("closed: %v, want ErrClosed", err)
		}
		c.Close() // twice is nothing
	})
}

func sinkCount(c *channel.Channel) int {
	n := 0
	for range c.Sinks() {
		n++
	}
	return n
}

func TestNextID(t *testing.T) {
	bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		got := channeltest.Record(t, chans[1], channel.Match{})
		id := chans[0].NextID()
		if other := chans[0].NextID(); id == other || id.IsZero() {
			t.Errorf("ids %v and %v", id, other)
		}
		if back := submit(t, chans[0], channel.Event{Type: "a", ID: id}); back != id || got.Wait(t, 1)[0].ID != id {
			t.Errorf("sent %v, returned %v, arrived %v", id, back, got.Events()[0].ID)
		}
	})
}

func TestDeadlineTravelsAsTimeLeft(t *testing.T) {
	bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		var got []time.Duration
		_, err := chans[1].Subscribe(channel.Match{}, func(e *channel.Event) {
			got = append(got, time.Until(e.Deadline))
			time.Sleep(2 * time.Second)
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // the first takes 2 s, so that the second is late
			submit(t, chans[0], channel.Event{Type: "a", Deadline: time.Now().Add(1500 * time.Millisecond)})
		}
		submit(t, chans[0], channel.Event{Type: "a", Deadline: time.Now().Add(10 * time.Second)})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if want := []time.Duration{1500 * time.Millisecond, 8 * time.Second}; !slices.Equal(got, want) {
			t.Errorf("time left on delivery: %v, want %v", got, want)
		}
		if s := chans[1].Stats(); s.Late != 2 || s.Delivered != 2 {
			t.Errorf("stats %+v, want 2 late, 2 delivered", s)
		}
	})
}

// A bulk event waits for room until its deadline, and no longer.
func TestBulkWaitsUntilItsDeadline(t *testing.T) {
	bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		release := make(chan struct{})
		defer close(release)
		if _, err := chans[1].SubscribeInline(channel.Match{}, func(*channel.Event) { <-release }); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for {
			_, err := chans[0].Submit(t.Context(), channel.Event{Type: "a", Priority: channel.Bulk, Deadline: start.Add(time.Second)})
			if err == nil {
				continue
			}
			if waited := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || waited != time.Second {
				t.Errorf("%v after %v, want context.DeadlineExceeded after 1 s", err, waited)
			}
			break
		}
		if s := chans[0].Stats(); s.Unsent != 1 || s.Sent < 1000 {
			t.Errorf("stats %+v", s)
		}
	})
}

// TestForeignSink holds that an IN-filter that returns a sink of its own making
// loses that one, and nothing else.
func TestForeignSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _ := channeltest.Nodes(t, 2)
		channels := channeltest.Open(t, "c", nodes...)
		got := channeltest.Record(t, channels[1], channel.Match{})
		channels[1].SetIn(func(_ *channel.Event, sinks []channel.Sink) []channel.Sink {
			return append(sinks, channel.Sink{Node: 99, Local: true})
		})
		if _, err := channels[0].Submit(t.Context(), channel.Event{Type: "t"}); err != nil {
			t.Fatal(err)
		}
		got.Wait(t, 1)
	})
}

// TestClosedHasNoSinks holds that a channel that was closed here does not go on
// listing who had it open.
func TestClosedHasNoSinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _ := channeltest.Nodes(t, 2)
		channels := channeltest.Open(t, "c", nodes...)
		channels[0].Close()
		for s := range channels[0].Sinks() {
			t.Errorf("sink %v", s.Node)
		}
	})
}
