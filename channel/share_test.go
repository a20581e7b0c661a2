package channel_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
	"kecho/channel/channeltest"
)

// Channels that flood a link which stands leave room for the events of another,
// and its bulk does not wait behind theirs.
func TestFloodOverAStuckLink(t *testing.T) {
	bubble(t, 2, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		release := make(chan struct{})
		if _, err := chans[1].SubscribeInline(channel.Match{}, func(*channel.Event) { <-release }); err != nil {
			t.Fatal(err)
		}
		noisy := [][]*channel.Channel{chans}
		for i := range 3 {
			noisy = append(noisy, channeltest.Open(t, fmt.Sprint("noisy", i), nodes...))
		}
		quiet := channeltest.Open(t, "quiet", nodes...)
		got := channeltest.Record(t, quiet[1], channel.Match{})
		channeltest.AwaitSinks(t, quiet[0], 1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for _, c := range noisy {
			channeltest.AwaitSinks(t, c[0], 1)
			if refused := flood(t, c[0], 2000); refused == 0 {
				t.Error("a flood was not refused: the test shows nothing")
			}
			go func() { // until it waits
				for {
					_, err := c[0].Submit(ctx, channel.Event{Type: "flood", Priority: channel.Bulk, Body: make([]byte, 4<<10)})
					if err != nil {
						return
					}
				}
			}()
			synctest.Wait()
		}
		for i := range 20 {
			for _, p := range []channel.Priority{channel.Normal, channel.Bulk} {
				submit(t, quiet[0], channel.Event{Type: "quiet", Priority: p, Body: fmt.Append(nil, i)})
			}
		}
		cancel()
		close(release)
		synctest.Wait()
		if n := len(got.Events()); n != 40 {
			t.Errorf("%d events of the other channel arrived, want 40", n)
		}
	})
}

// Who submits bulk while a link is full waits as long as it says, and hears that
// the others have it.
func TestBulkWaitsAsLongAsItIsTold(t *testing.T) {
	bubble(t, 3, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		release := make(chan struct{})
		defer close(release)
		if _, err := chans[1].SubscribeInline(channel.Match{}, func(*channel.Event) { <-release }); err != nil {
			t.Fatal(err)
		}
		good := channeltest.Record(t, chans[2], channel.Match{})
		submit := func(ctx context.Context, c *channel.Channel, due time.Duration) (took time.Duration, err error) {
			start := time.Now()
			e := channel.Event{Type: "bulk", Priority: channel.Bulk, Body: make([]byte, 32<<10)}
			if due > 0 {
				e.Deadline = start.Add(due)
			}
			_, err = c.Submit(ctx, e)
			return time.Since(start), err
		}
		why := errors.New("told to")
		n := 1
		for ; ; n++ {
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, why)
			took, err := submit(ctx, chans[0], 0)
			cancel()
			synctest.Wait() // the recorder's queue is no longer than this
			if err != nil {
				t.Fatal(err)
			} else if took > 0 {
				break
			}
		}
		soon, cancel := context.WithTimeoutCause(t.Context(), time.Second, why)
		defer cancel()
		done, cut := context.WithCancelCause(t.Context())
		cut(why)
		for _, c := range []struct {
			ctx  context.Context
			due  time.Duration
			want time.Duration
		}{{soon, 0, time.Second}, {done, 0, 0}, {t.Context(), 2 * time.Second, 2 * time.Second}} {
			if took, err := submit(c.ctx, chans[0], c.due); took != c.want || err != nil {
				t.Errorf("it took %v: %v, want %v and no error: one has it", took, err, c.want)
			}
			n++
		}
		synctest.Wait()
		if have := len(good.Events()); have != n {
			t.Errorf("the other has %d events of %d", have, n)
		}
		if s := chans[0].Stats(); s.Unsent != 4 || s.Sent != uint64(2*n-4) {
			t.Errorf("%d unsent and %d sent of %d for two", s.Unsent, s.Sent, n)
		}
		chans[2].Close()
		synctest.Wait()
		if took, err := submit(done, chans[0], 0); took > 0 || !errors.Is(err, why) {
			t.Errorf("nobody has it: %v after %v", err, took)
		}
	})
}

// Bulk that waits for one sink of eight has been sent to the others before.
func TestBulkWaitsForOneSinkOnly(t *testing.T) {
	bubble(t, 9, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		release := make(chan struct{})
		if _, err := chans[1].SubscribeInline(channel.Match{}, func(*channel.Event) { <-release }); err != nil {
			t.Fatal(err)
		}
		var good []*channeltest.Recorder
		for _, c := range chans[2:] {
			good = append(good, channeltest.Record(t, c, channel.Match{}))
		}
		channeltest.AwaitSinks(t, chans[0], 8)
		ctx, cancel := context.WithCancel(t.Context())
		sent := make(chan int)
		go func() {
			for n := 0; ; n++ {
				if _, err := chans[0].Submit(ctx, channel.Event{Type: "bulk", Priority: channel.Bulk, Body: make([]byte, 32<<10)}); err != nil || ctx.Err() != nil {
					if err != nil && !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					sent <- n + 1 // the others have the last one too
					return
				}
			}
		}()
		synctest.Wait() // it waits
		var had []int
		for _, r := range good {
			had = append(had, len(r.Events()))
		}
		cancel()
		n := <-sent
		for i, had := range had {
			if had != n {
				t.Errorf("sink %d had %d events of %d while another was waited for", i+2, had, n)
			}
		}
		close(release)
	})
}
