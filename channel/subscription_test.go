package channel_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
	"kecho/channel/channeltest"
)

func TestSubscribeErrors(t *testing.T) {
	n, _ := channel.New(channel.Config{})
	c, _ := n.Open("work")
	if _, err := c.Subscribe(channel.Match{}, nil); err == nil {
		t.Error("a nil handler is accepted")
	}
	if _, err := c.Subscribe(channel.Match{Type: channel.Type(strings.Repeat("x", channel.MaxName+1))}, func(*channel.Event) {}); err == nil {
		t.Error("a type that no event can have is accepted")
	}
	c.Close()
	if _, err := c.SubscribeInline(channel.Match{}, func(*channel.Event) {}); !errors.Is(err, channel.ErrClosed) {
		t.Errorf("on a closed channel: %v, want ErrClosed", err)
	}
}

func TestBlockedHandlerStallsNobody(t *testing.T) {
	bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		release := make(chan struct{})
		var slow channeltest.Recorder
		stuck, err := chans[1].Subscribe(channel.Match{}, func(e *channel.Event) { <-release; slow.Handle(e) })
		if err != nil {
			t.Fatal(err)
		}
		quick := channeltest.Record(t, chans[1], channel.Match{})
		const extra = 10
		for i := range channel.MaxQueue + 1 + extra {
			submit(t, chans[0], channel.Event{Type: "a", Body: fmt.Append(nil, i)})
			synctest.Wait() // the first is with the handler before the others come
		}
		quick.Wait(t, channel.MaxQueue+1+extra)
		if s := chans[1].Stats(); s.Overrun != extra {
			t.Errorf("%d events dropped, want %d", s.Overrun, extra)
		}
		close(release)
		synctest.Wait()
		if got := slow.Bodies(); len(got) != channel.MaxQueue+1 || got[len(got)-1] != fmt.Sprint(channel.MaxQueue) {
			t.Errorf("%d events handled, want the first %d", len(got), channel.MaxQueue+1)
		}
		stuck.Close()
	})
}

func TestQueueIsBoundedInBytes(t *testing.T) {
	bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		release := make(chan struct{})
		chans[1].Subscribe(channel.Match{}, func(*channel.Event) { <-release })
		const fit = channel.MaxQueueBytes / channel.MaxBody
		for range fit + 3 {
			submit(t, chans[0], channel.Event{Type: "a", Body: make([]byte, channel.MaxBody)})
			synctest.Wait()
		}
		if s := chans[1].Stats(); s.Overrun != 2 {
			t.Errorf("%d events dropped, want 2: one is with the handler, %d wait", s.Overrun, fit)
		}
		release <- struct{}{}
		synctest.Wait()
		submit(t, chans[0], channel.Event{Type: "a", Body: make([]byte, channel.MaxBody)})
		synctest.Wait()
		if s := chans[1].Stats(); s.Overrun != 2 {
			t.Errorf("%d events dropped after one was handled", s.Overrun)
		}
		close(release)
	})
}

func TestSubscriptionClose(t *testing.T) {
	for _, how := range []string{"subscription", "channel"} {
		bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
			release := make(chan struct{})
			calls, inline := 0, 0
			queued, _ := chans[1].Subscribe(channel.Match{}, func(*channel.Event) { calls++; <-release })
			direct, _ := chans[1].SubscribeInline(channel.Match{}, func(*channel.Event) { inline++ })
			for range 3 {
				submit(t, chans[0], channel.Event{Type: "a"})
			}
			synctest.Wait()
			if how == "channel" {
				chans[1].Close()
			} else {
				queued.Close()
				direct.Close()
				queued.Close() // twice is nothing
			}
			close(release)
			chans[0].Submit(t.Context(), channel.Event{Type: "a"})
			synctest.Wait()
			if calls != 1 || inline != 3 {
				t.Errorf("%s: %d calls of the queued handler, %d of the inline one; want 1 and 3", how, calls, inline)
			}
		})
	}
}

// An event that a handler keeps must not change under it.
func TestQueuedEventsAreClones(t *testing.T) {
	bubble(t, 2, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		var mu sync.Mutex
		kept := map[channel.NodeID][]*channel.Event{}
		chans[0].Subscribe(channel.Match{}, func(e *channel.Event) {
			mu.Lock()
			defer mu.Unlock()
			kept[e.ID.Source] = append(kept[e.ID.Source], e)
		})
		for i := range 50 {
			for _, n := range nodes {
				n.DescribeFunc(func(as channel.Attrs) channel.Attrs { return append(as, tries.Of(int64(i))) })
			}
			for _, c := range chans {
				text := fmt.Sprint("text ", i)
				body := []byte(text)
				attrs := channel.Attrs{color.Of(text)}
				submit(t, c, channel.Event{Type: "a", Attrs: attrs, Body: body})
				clear(body)
				clear(attrs)
			}
		}
		synctest.Wait()
		for source, events := range kept {
			for i, e := range events {
				want := fmt.Sprint("text ", i)
				c, _ := color.In(e.Attrs)
				n, _ := tries.In(e.From)
				if string(e.Body) != want || c != want || n != int64(i) {
					t.Errorf("event %d of %v holds %q, %v, from %v", i, source, e.Body, e.Attrs, e.From)
				}
			}
		}
		if len(kept) != 2 {
			t.Errorf("events of %d sources", len(kept))
		}
	})
}

func TestQuietSubscriptionsCostNoGoroutine(t *testing.T) {
	bubble(t, 1, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		got := channeltest.Record(t, chans[0], channel.Match{})
		for i := range 3 { // the queue's goroutine ends and starts again
			submit(t, chans[0], channel.Event{Type: "a"})
			time.Sleep(time.Second)
			if len(got.Events()) != i+1 {
				t.Fatalf("event %d was not handled", i)
			}
		}
	})
}

// Whoever closes a subscription in a handler is not surprised by it.
func TestCloseWithinAHandler(t *testing.T) {
	bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		var other *channel.Subscription
		first, second := 0, 0
		var own *channel.Subscription
		own, _ = chans[1].SubscribeInline(channel.Match{}, func(*channel.Event) { first++; other.Close(); own.Close() })
		other, _ = chans[1].SubscribeInline(channel.Match{}, func(*channel.Event) { second++ })
		submit(t, chans[0], channel.Event{Type: "a"})
		submit(t, chans[0], channel.Event{Type: "a"})
		synctest.Wait()
		if first != 1 || second != 0 {
			t.Errorf("%d and %d calls, want 1 and 0", first, second)
		}
	})
}

// What is urgent is handed over before what waited already, and is the last to be
// dropped.
func TestUrgentOvertakesInTheQueue(t *testing.T) {
	bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		begun, release := make(chan struct{}), make(chan struct{})
		var got []string
		sub, err := chans[1].SubscribeWith(channel.SubscriptionConfig{
			Queue: 4, WhenFull: channel.DropOldest,
			Handler: func(e *channel.Event) {
				if got = append(got, string(e.Type)); len(got) == 1 {
					close(begun)
					<-release
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // chans[0] hears of it
		send := func(typ channel.Type, p channel.Priority) {
			if _, err := chans[0].Submit(t.Context(), channel.Event{Type: typ, Priority: p}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		send("first", channel.Normal)
		<-begun
		send("bulk", channel.Bulk)
		send("normal 1", channel.Normal)
		send("urgent 1", channel.Urgent)
		send("normal 2", channel.Normal)
		send("urgent 2", channel.Urgent) // the bulk one has to go
		send("urgent 3", channel.Urgent) // and a normal one
		send("late bulk", channel.Bulk)  // there is nothing less urgent
		close(release)
		synctest.Wait()
		if want := "first, urgent 1, urgent 2, urgent 3, normal 2"; strings.Join(got, ", ") != want {
			t.Errorf("handed over: %s; want %s", strings.Join(got, ", "), want)
		}
		if s := sub.Stats(); s.Displaced != 2 || s.Refused != 1 {
			t.Errorf("%d displaced and %d refused, want 2 and 1", s.Displaced, s.Refused)
		}
	})
}
