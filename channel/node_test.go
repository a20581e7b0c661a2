package channel_test

import (
	"context"
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

func TestOpen(t *testing.T) {
	n, err := channel.New(channel.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", strings.Repeat("x", channel.MaxName+1)} {
		if _, err := n.Open(name); err == nil {
			t.Errorf("channel %q opens", name)
		}
	}
	first, err := n.Open("0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Open("0"); err == nil {
		t.Error("a channel opens twice")
	}
	for i := 1; i < channel.MaxChannels; i++ {
		if _, err := n.Open(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := n.Open("one more"); !errors.Is(err, channel.ErrTooLarge) {
		t.Errorf("one more than the limit: %v, want ErrTooLarge", err)
	}
	first.Close()
	if _, err := n.Open("0"); err != nil {
		t.Errorf("again after Close: %v", err)
	}
	all := n.Channels()
	if len(all) != channel.MaxChannels || all[0].Name() != "0" || all[1].Name() != "1" || all[2].Name() != "10" {
		t.Errorf("%d channels: %v...", len(all), all[0].Name())
	}
}

// The largest announcement that a node can make must be one that peers take.
func TestPeersTakeTheLargestAnnouncement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _ := channeltest.Nodes(t, 2)
		channeltest.Open(t, "work", nodes...)
		var last string
		for i := range channel.MaxChannels - 1 {
			last = fmt.Sprintf("%0*d", channel.MaxName, i)
			if _, err := nodes[0].Open(last); err != nil {
				t.Fatal(err)
			}
		}
		c, err := nodes[1].Open(last)
		if err != nil {
			t.Fatal(err)
		}
		channeltest.AwaitSinks(t, c, 1)
	})
}

func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := channeltest.NewHub()
		n, _ := channel.New(channel.Config{ID: 9, Links: hub.Links(9)})
		other := channeltest.Start(t, hub, 1)
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error)
		go func() { ended <- n.Run(ctx) }()
		chans := channeltest.Open(t, "work", n, other)

		handling, calls := make(chan struct{}), 0
		chans[0].Subscribe(channel.Match{}, func(*channel.Event) { calls++; <-handling })
		for range 3 {
			submit(t, chans[0], channel.Event{Type: "a"})
		}
		synctest.Wait()
		cancel(errors.New("draining"))
		synctest.Wait()
		select {
		case err := <-ended:
			t.Fatalf("Run returned %v while a handler ran", err)
		default:
		}
		if _, err := chans[0].Submit(t.Context(), channel.Event{Type: "a"}); !errors.Is(err, channel.ErrClosed) {
			t.Errorf("submit on a stopped node: %v, want ErrClosed", err)
		}
		close(handling)
		if err := <-ended; err != nil {
			t.Errorf("Run returned %v, want nil: its context ended it", err)
		}
		synctest.Wait()
		if calls != 1 {
			t.Errorf("%d handlers ran, want 1: none begins once Run ends", calls)
		}
		if k := sinkCount(chans[1]); k != 0 {
			t.Errorf("the peer still sees %d sinks", k)
		}
	}) // and the bubble sees that no goroutine is left
}

func TestRunFailsWithItsParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := fmt.Errorf("broken: %w", context.Canceled) // whatever it wraps
		n, _ := channel.New(channel.Config{Links: channeltest.NewHub().Links(1), Registry: &registry{err: broken}})
		if err := n.Run(t.Context()); !errors.Is(err, broken) || !strings.Contains(err.Error(), "watch the registry") {
			t.Errorf("Run returned %v, want the registry's error", err)
		}
	})
}

func TestNothingRunsBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _ := channel.New(channel.Config{})
		c, err := n.Open("work")
		if err != nil {
			t.Fatal(err)
		}
		got := channeltest.Record(t, c, channel.Match{})
		submit(t, c, channel.Event{Type: "a", Body: []byte("early")})
		time.Sleep(time.Second)
		if n := len(got.Events()); n != 0 {
			t.Errorf("%d events handled before Run", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { n.Run(ctx) })
		got.Wait(t, 1)
		submit(t, c, channel.Event{Type: "a", Body: []byte("late")})
		got.Wait(t, 2)
		equal(t, "events", got.Bodies(), []string{"early", "late"})
		cancel()
		wg.Wait()
	})
}

func TestConcurrentUse(t *testing.T) {
	bubble(t, 3, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, hub *channeltest.Hub) {
		var wg sync.WaitGroup
		often := func(f func(i int)) {
			wg.Go(func() {
				for i := range 200 {
					f(i)
					if i%16 == 0 {
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
		for _, c := range chans {
			often(func(i int) { c.Submit(t.Context(), channel.Event{Type: "a", Body: make([]byte, i)}) })
			often(func(int) {
				s, err := c.Subscribe(channel.Match{Type: "a"}, func(e *channel.Event) { _ = fmt.Sprint(e.From) })
				if err == nil {
					s.Close()
				}
			})
			often(func(int) { c.Watch(func(channel.Sink, bool) { _ = c.Stats() })() })
		}
		often(func(i int) { nodes[0].Describe(tries.Of(int64(i))) })
		often(func(i int) {
			if c, err := nodes[1].Open("more"); err == nil {
				c.Subscribe(channel.Match{}, func(*channel.Event) {})
				c.Close()
			}
		})
		often(func(int) { hub.Down(1, 2); hub.Up(1, 2) })
		wg.Wait()
		for _, c := range chans {
			channeltest.AwaitSinks(t, c, 2)
		}
	})
}
