package channeltest_test

import (
	"time"

	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"kecho/channel"
	"kecho/channel/channeltest"
)

func TestHubDownUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, hub := channeltest.Nodes(t, 3)
		chans := channeltest.Open(t, "work", nodes...)
		got := channeltest.Record(t, chans[1], channel.Match{})

		submit(t, chans[0], "before")
		synctest.Wait()
		hub.Down(1, 2)
		submit(t, chans[0], "cut off")
		synctest.Wait()
		hub.Up(1, 2)
		channeltest.AwaitSinks(t, chans[0], 2)
		submit(t, chans[0], "after")
		got.Wait(t, 2)
		if want := []string{"before", "after"}; !slices.Equal(got.Bodies(), want) {
			t.Errorf("got %q, want %q", got.Bodies(), want)
		}
	})
}

func TestHubFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := channeltest.NewHub()
		var s stuck
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		a := hub.Links(1)
		wg.Go(func() { a.Serve(ctx, &stuck{}) })
		s.release = make(chan struct{})
		wg.Go(func() { hub.Links(2).Serve(ctx, &s) })
		synctest.Wait()

		sent := 0
		var err error
		for err == nil {
			sent++
			err = a.Send(ctx, 2, channel.Handling{Priority: channel.Normal}, fmt.Append(nil, sent))
			synctest.Wait()
		}
		if !errors.Is(err, channel.ErrQueueFull) || sent < 1024 {
			t.Errorf("frame %d: %v, want ErrQueueFull after 1,024", sent, err)
		}
		if err := a.Send(ctx, 3, channel.Handling{Priority: channel.Normal}, nil); !errors.Is(err, channel.ErrNoLink) {
			t.Errorf("to nobody: %v, want ErrNoLink", err)
		}
		close(s.release)
		synctest.Wait()
		if len(s.frames) != sent-1 {
			t.Errorf("%d frames arrived, want %d", len(s.frames), sent-1)
		}
		cancel()
		wg.Wait()
	})
}

func TestHubBulkWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := channeltest.NewHub()
		s := stuck{release: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		a := hub.Links(1)
		wg.Go(func() { a.Serve(ctx, &stuck{}) })
		wg.Go(func() { hub.Links(2).Serve(ctx, &s) })
		synctest.Wait()
		const frames = 3000
		sent := 0
		wg.Go(func() {
			for range frames {
				if err := a.Send(ctx, 2, channel.Handling{Priority: channel.Bulk}, nil); err != nil {
					t.Error(err)
					return
				}
				sent++
			}
		})
		synctest.Wait()
		if sent == 0 || sent == frames {
			t.Errorf("%d frames sent to a receiver that is stuck", sent)
		}
		close(s.release)
		synctest.Wait()
		if len(s.frames) != frames {
			t.Errorf("%d frames arrived, want %d", len(s.frames), frames)
		}
		cancel()
		wg.Wait()
	})
}

func submit(t *testing.T, c *channel.Channel, body string) {
	t.Helper()
	if _, err := c.Submit(t.Context(), channel.Event{Type: "text", Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
}

// stuck is a receiver that waits for release, if that is set, in each Receive.
type stuck struct {
	release chan struct{}
	frames  []string
}

func (s *stuck) LinkUp(channel.NodeID) {}

func (s *stuck) Receive(_ channel.NodeID, _ time.Time, frame []byte, _ bool) error {
	if s.release != nil {
		<-s.release
	}
	s.frames = append(s.frames, string(frame))
	return nil
}

func (s *stuck) LinkDown(channel.NodeID, error) {}
