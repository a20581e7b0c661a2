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

// answering has the node answer everything that asks, each time after so many
// seconds, with its number.
func answering(t testing.TB, c *channel.Channel, seconds ...int) *channel.Subscription {
	t.Helper()
	s, err := c.Subscribe(channel.Match{}, func(e *channel.Event) {
		for _, after := range seconds {
			time.Sleep(time.Duration(after) * time.Second)
			c.Reply(context.Background(), e, channel.Event{Body: fmt.Append(nil, after)})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// said is the sources and bodies of answers.
func said(a channel.Answers) string {
	var all []string
	for _, e := range a.Events {
		all = append(all, fmt.Sprintf("%d:%s", uint64(e.ID.Source), e.Body))
	}
	return strings.Join(all, " ")
}

func TestGather(t *testing.T) {
	first := func(_ *channel.Event, sinks []channel.Sink) []channel.Sink { return sinks[:1] }
	for _, c := range []struct {
		name   string
		gather channel.Gather
		out    channel.Filter
		delays [][]int // of nodes 2 to 4
		want   string  // answers, how many were asked, why it ended and when
	}{
		{"all", channel.Gather{}, nil, [][]int{{1}, {3}, {2}}, "2:1 4:2 3:3, 3 asked, all, 3s"},
		{"at once", channel.Gather{}, nil, [][]int{{0}, {0}, {0}}, "2:0 3:0 4:0, 3 asked, all, 0s"},
		{"OUT-filter", channel.Gather{}, first, [][]int{{1}, {3}, {2}}, "2:1, 1 asked, all, 1s"},
		{"count", channel.Gather{Count: 2}, nil, [][]int{{1}, {3}, {2}}, "2:1 4:2, 3 asked, count, 2s"},
		{"several from one", channel.Gather{Count: 3}, nil, [][]int{{1, 1, 1}, {4}, {4}}, "2:1 2:1 2:1, 3 asked, count, 3s"},
		{"gap", channel.Gather{Gap: 1500 * time.Millisecond}, nil, [][]int{{2}, {3}, {5}}, "2:2 3:3, 3 asked, gap, 4.5s"},
		{"timeout", channel.Gather{Timeout: 2500 * time.Millisecond}, nil, [][]int{{1}, {2}, {3}}, "2:1 3:2, 3 asked, timeout, 2.5s"},
		{"default timeout", channel.Gather{}, nil, [][]int{{}, {}, {}}, ", 3 asked, timeout, 5s"},
	} {
		bubble(t, 4, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
			chans[0].SetOut(c.out)
			for i, delays := range c.delays {
				answering(t, chans[i+1], delays...)
			}
			start := time.Now()
			a, err := chans[0].Request(t.Context(), channel.Event{Type: "who"}, c.gather)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			slices.SortStableFunc(a.Events, func(a, b *channel.Event) int {
				if len(c.delays[0]) == 1 && c.delays[0][0] == 0 { // at once is in any order
					return int(a.ID.Source) - int(b.ID.Source)
				}
				return 0
			})
			if got := fmt.Sprintf("%s, %d asked, %v, %v", said(a), a.Asked, a.End, time.Since(start)); got != c.want {
				t.Errorf("%s: got %s, want %s", c.name, got, c.want)
			}
			for _, e := range a.Events {
				if e.Type != "who" || e.Re.Source != 1 {
					t.Errorf("%s: answer %+v", c.name, e)
				}
			}
		})
	}
}

// The node that asks is a sink like the others, and its handler may answer
// before Submit has returned.
func TestRequestIsAnsweredHereToo(t *testing.T) {
	bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		for _, c := range chans {
			c.SubscribeInline(channel.Match{}, func(e *channel.Event) { c.Reply(t.Context(), e, channel.Event{Type: "me"}) })
		}
		a, err := chans[0].Request(t.Context(), channel.Event{Type: "who"}, channel.Gather{})
		if err != nil || a.Asked != 2 || len(a.Events) != 2 || a.End != channel.ByAll || a.Events[0].Type != "me" {
			t.Errorf("%+v, %v", a, err)
		}
	})
}

// Nobody is waited for who cannot answer any more.
func TestRequestWhoseSinksGo(t *testing.T) {
	for name, leave := range map[string]func(hub *channeltest.Hub, c *channel.Channel, s *channel.Subscription){
		"link":    func(hub *channeltest.Hub, _ *channel.Channel, _ *channel.Subscription) { hub.Down(1, 3) },
		"channel": func(_ *channeltest.Hub, c *channel.Channel, _ *channel.Subscription) { c.Close() },
		"suspend": func(_ *channeltest.Hub, _ *channel.Channel, s *channel.Subscription) { s.Suspend() },
	} {
		bubble(t, 3, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, hub *channeltest.Hub) {
			answering(t, chans[1], 1)
			s := answering(t, chans[2], 4)
			go func() { time.Sleep(2 * time.Second); leave(hub, chans[2], s) }()
			start := time.Now()
			a, err := chans[0].Request(t.Context(), channel.Event{Type: "who"}, channel.Gather{Timeout: time.Minute})
			if err != nil || said(a) != "2:1" || a.Asked != 2 || a.End != channel.ByAll || time.Since(start) != 2*time.Second {
				t.Errorf("%s: %+v, %v, after %v", name, a, err, time.Since(start))
			}
		})
	}
}

func TestRequestIsCancelled(t *testing.T) {
	cause := errors.New("changed my mind")
	for name, want := range map[string]error{"cancel": cause, "close": channel.ErrClosed} {
		bubble(t, 3, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
			answering(t, chans[1], 1)
			answering(t, chans[2], 3)
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				time.Sleep(2 * time.Second)
				if name == "close" {
					chans[0].Close()
				}
				cancel(cause)
			}()
			if name == "close" {
				ctx = t.Context()
			}
			a, err := chans[0].Request(ctx, channel.Event{Type: "who"}, channel.Gather{})
			if !errors.Is(err, want) || said(a) != "2:1" || a.End != 0 {
				t.Errorf("%s: %+v, %v", name, a, err)
			}
			time.Sleep(5 * time.Second)
			if st := chans[0].Stats(); name == "cancel" && st.Unasked != 1 {
				t.Errorf("%d answers nobody waited for, want 1", st.Unasked)
			}
		})
	}
}

func TestRequestWhenTheNodeStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := channeltest.NewHub()
		n, _ := channel.New(channel.Config{ID: 1, Links: hub.Links(1)})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { n.Run(ctx) })
		c, _ := n.Open("work")
		c.Subscribe(channel.Match{}, func(*channel.Event) {})
		if _, err := c.Request(t.Context(), channel.Event{Type: "who"}, channel.Gather{Timeout: time.Minute}); !errors.Is(err, channel.ErrClosed) {
			t.Errorf("%v, want ErrClosed", err)
		}
		wg.Wait()
	})
}

// Everybody answers everything: answers must not be taken for requests, and
// those that come late go to nobody.
func TestAnswersAreNotAnswered(t *testing.T) {
	bubble(t, 3, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		for _, c := range chans {
			answering(t, c, 2)
		}
		var seen channeltest.Recorder
		chans[0].SubscribeInline(channel.Match{Source: 2}, seen.Handle)
		a, err := chans[0].Request(t.Context(), channel.Event{Type: "who", Deadline: time.Now().Add(time.Hour)}, channel.Gather{Timeout: time.Second})
		if err != nil || len(a.Events) != 0 || a.End != channel.ByTimeout {
			t.Errorf("%+v, %v", a, err)
		}
		time.Sleep(time.Minute)
		if n := chans[0].Stats(); n.Unasked != 3 || len(seen.Events()) != 0 {
			t.Errorf("%d late answers, want 3; %d events for the subscription, want none", n.Unasked, len(seen.Events()))
		}
	})
}

func TestRequestErrors(t *testing.T) {
	bubble(t, 2, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		who := channel.Event{Type: "who"}
		ask := func(e channel.Event, g channel.Gather) error {
			_, err := chans[0].Request(t.Context(), e, g)
			return err
		}
		for _, g := range []channel.Gather{{Count: -1}, {Count: channel.MaxAnswers + 1}, {Gap: -1}, {Timeout: -1}} {
			if err := ask(who, g); err == nil || !strings.Contains(err.Error(), "4096") {
				t.Errorf("%+v: %v", g, err)
			}
		}
		if err := ask(channel.Event{Type: "who", ID: chans[0].NextID()}, channel.Gather{}); err == nil {
			t.Error("an id that is not the request's is accepted")
		}
		if err := ask(channel.Event{}, channel.Gather{}); err == nil {
			t.Error("an event without a type is accepted")
		}
		id := submit(t, chans[0], who)
		if _, err := chans[1].Reply(t.Context(), &channel.Event{ID: id}, channel.Event{}); err == nil || !strings.Contains(err.Error(), "not a request") {
			t.Errorf("a reply to what does not ask: %v", err)
		}
		alone, _ := nodes[0].Open("alone")
		if _, err := alone.Request(t.Context(), who, channel.Gather{}); !errors.Is(err, channel.ErrNoSink) {
			t.Errorf("nobody there: %v, want ErrNoSink", err)
		}
		channeltest.Record(t, chans[1], channel.Match{}) // it is waited for, and says nothing
		var wg sync.WaitGroup
		for i := range channel.MaxRequests {
			wg.Go(func() {
				if err := ask(who, channel.Gather{Timeout: time.Second}); err != nil {
					t.Errorf("request %d: %v", i, err)
				}
			})
			if i%64 == 63 {
				synctest.Wait() // the link's queue is bounded too
			}
		}
		if err := ask(who, channel.Gather{}); !errors.Is(err, channel.ErrQueueFull) {
			t.Errorf("one more than the limit: %v, want ErrQueueFull", err)
		}
		wg.Wait()
		if err := ask(who, channel.Gather{Timeout: time.Second}); err != nil {
			t.Errorf("after they have ended: %v", err)
		}
	})
}

// Answers are bounded in bytes, each requester gets its own, and all at once.
func TestRequestsTogether(t *testing.T) {
	bubble(t, 3, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		for _, c := range chans[1:] {
			c.SubscribeInline(channel.Match{Type: "echo"}, func(e *channel.Event) {
				c.Reply(t.Context(), e, channel.Event{Body: e.Body})
			})
		}
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				body := fmt.Append(nil, i)
				a, err := chans[0].Request(t.Context(), channel.Event{Type: "echo", Body: body}, channel.Gather{})
				if err != nil || len(a.Events) != 2 || string(a.Events[0].Body) != string(body) || string(a.Events[1].Body) != string(body) {
					t.Errorf("%d: %+v, %v", i, a, err)
				}
			})
		}
		wg.Wait()
		channeltest.Record(t, chans[2], channel.Match{Type: "much"}) // else the first answer would be the last
		const fit = channel.MaxQueueBytes / channel.MaxBody
		chans[1].SubscribeInline(channel.Match{Type: "much"}, func(e *channel.Event) {
			for range fit + 5 {
				c := chans[1]
				c.Reply(t.Context(), e, channel.Event{Body: make([]byte, channel.MaxBody), Priority: channel.Bulk}) // waits for room in the link
			}
		})
		a, err := chans[0].Request(t.Context(), channel.Event{Type: "much"}, channel.Gather{Timeout: time.Second})
		if err != nil || len(a.Events) != fit || chans[0].Stats().Overrun != 5 {
			t.Errorf("%d answers, %d dropped, %v; want %d and 5", len(a.Events), chans[0].Stats().Overrun, err, fit)
		}
	})
}

// Who has no subscription for a request, or drops it, says so.
func TestRequestDoesNotWaitForThoseWhoDoNotListen(t *testing.T) {
	bubble(t, 4, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		chans[1].SubscribeInline(channel.Match{Type: "who"}, func(e *channel.Event) { chans[1].Reply(t.Context(), e, channel.Event{}) })
		channeltest.Record(t, chans[2], channel.Match{Type: "other"})
		channeltest.Record(t, chans[3], channel.Match{})
		chans[3].SetIn(func(*channel.Event, []channel.Sink) []channel.Sink { return nil })
		start := time.Now()
		a, err := chans[0].Request(t.Context(), channel.Event{Type: "who"}, channel.Gather{Timeout: time.Minute})
		if err != nil || len(a.Events) != 1 || a.Asked != 3 || a.End != channel.ByAll || time.Since(start) > time.Second {
			t.Errorf("%+v, %v after %v", a, err, time.Since(start))
		}
	})
}

func TestFilterRunsAreCounted(t *testing.T) {
	bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		pass := func(_ *channel.Event, sinks []channel.Sink) []channel.Sink {
			time.Sleep(time.Millisecond) // as much as a filter must not
			return sinks
		}
		chans[0].SetOut(pass)
		chans[1].SetIn(pass)
		channeltest.Record(t, chans[1], channel.Match{})
		for range 65 {
			submit(t, chans[0], channel.Event{Type: "a"})
		}
		time.Sleep(time.Second)
		want := channel.FilterStats{Runs: 65, Sampled: channel.Timing{Count: 2, Total: 2 * time.Millisecond, Max: time.Millisecond}}
		if out, in := chans[0].Stats().Out, chans[1].Stats().In; out != want || in != want {
			t.Errorf("OUT-filter %+v, IN-filter %+v, want %+v", out, in, want)
		}
	})
}

func BenchmarkRequest(b *testing.B) {
	nodes, _ := channeltest.Nodes(b, 9)
	chans := channeltest.Open(b, "work", nodes...)
	for _, c := range chans[1:] {
		c.SubscribeInline(channel.Match{}, func(e *channel.Event) { c.Reply(b.Context(), e, channel.Event{}) })
	}
	b.ReportAllocs()
	for b.Loop() {
		a, err := chans[0].Request(b.Context(), channel.Event{Type: "who"}, channel.Gather{})
		if err != nil || a.End != channel.ByAll {
			b.Fatal(a, err)
		}
	}
}

// Each is given answers as they come, and who has no say in when it ends may
// answer too.
func TestGatherEach(t *testing.T) {
	bubble(t, 3, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		answering(t, chans[0], 1)
		answering(t, chans[1], 2)
		answering(t, chans[2], 3, 1)
		start, got := time.Now(), ""
		each := func(e *channel.Event) { got += fmt.Sprintf("%d at %v, ", uint64(e.ID.Source), time.Since(start)) }
		a, err := chans[0].Request(t.Context(), channel.Event{Type: "who"}, channel.Gather{Others: true, Each: each})
		if want := "1 at 1s, 2 at 2s, 3 at 3s, "; err != nil || got != want || a.Events != nil || a.Asked != 2 || a.End != channel.ByAll {
			t.Errorf("%s want %s; %+v, %v", got, want, a, err)
		}
		start, got = time.Now(), ""
		a, err = chans[0].Request(t.Context(), channel.Event{Type: "who"}, channel.Gather{Count: 4, Each: each})
		if want := "1 at 1s, 2 at 2s, 3 at 4s, "; err != nil || got != want || a.Asked != 3 || a.End != channel.ByAll {
			t.Errorf("%s want %s; %+v, %v", got, want, a, err)
		}
	})
}
