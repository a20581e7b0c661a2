package channel_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"kecho/channel"
	"kecho/channel/channeltest"
)

// flood submits n events of 4 KiB, as fast as the links take them.
func flood(t *testing.T, c *channel.Channel, n int) (refused int) {
	t.Helper()
	body := make([]byte, 4<<10)
	for i := range n {
		_, err := c.Submit(t.Context(), channel.Event{Type: "flood", Body: body})
		if errors.Is(err, channel.ErrQueueFull) {
			refused++
		} else if err != nil {
			t.Fatal(err)
		}
		if i%100 == 99 {
			synctest.Wait()
		}
	}
	return refused
}

// Of three subscriptions of one node one never takes anything: it holds what its
// queue may hold, what is beyond is counted, and the others get all.
func TestStuckOfThreeSubscriptions(t *testing.T) {
	bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		release := make(chan struct{})
		stuck, err := chans[1].Subscribe(channel.Match{}, func(*channel.Event) { <-release })
		if err != nil {
			t.Fatal(err)
		}
		good := []*channeltest.Recorder{channeltest.Record(t, chans[1], channel.Match{}), channeltest.Record(t, chans[1], channel.Match{})}
		const n = 5000
		if refused := flood(t, chans[0], n); refused > 0 {
			t.Errorf("%d events were refused because one subscription is stuck", refused)
		}
		s := stuck.Stats()
		if s.QueuedBytes > channel.MaxQueueBytes || s.Queued > channel.MaxQueue || s.Queued < 900 {
			t.Errorf("the stuck one holds %d events, %d bytes", s.Queued, s.QueuedBytes)
		}
		if got := int(s.Refused) + s.Queued + 1; got != n { // one is with the handler
			t.Errorf("%d of %d events are accounted for", got, n)
		}
		for _, r := range good {
			if len(r.Events()) != n {
				t.Errorf("another subscription got %d events of %d", len(r.Events()), n)
			}
		}
		close(release)
	})
}

// Of eight sinks one does not read its links any more: the sender holds for it
// what a link's queue may hold, what is beyond is counted, and the others get all.
func TestStuckOfEightSinks(t *testing.T) {
	bubble(t, 9, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		release := make(chan struct{})
		if _, err := chans[8].SubscribeInline(channel.Match{}, func(*channel.Event) { <-release }); err != nil {
			t.Fatal(err)
		}
		var good []*channeltest.Recorder
		for _, c := range chans[1:8] {
			good = append(good, channeltest.Record(t, c, channel.Match{}))
		}
		channeltest.AwaitSinks(t, chans[0], 8)
		const n = 3000
		if refused := flood(t, chans[0], n); refused > 0 {
			t.Errorf("%d events were refused although seven sinks took them", refused)
		}
		for i, r := range good {
			if len(r.Events()) != n {
				t.Errorf("sink %d got %d events of %d", i+1, len(r.Events()), n)
			}
		}
		// 4 MiB wait in the link's queue, and one is with the handler.
		if unsent := chans[0].Stats().Unsent; unsent < n-1024-2 || unsent > n-900 {
			t.Errorf("%d frames were not taken by a link, want some 2,000: what one queue does not hold", unsent)
		}
		close(release)
	})
}

// Who floods a channel whose subscriber is stuck has another channel of the same
// two nodes go on, in order and whole.
func TestFloodHarmsNoOtherChannel(t *testing.T) {
	bubble(t, 2, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		release := make(chan struct{})
		if _, err := chans[1].Subscribe(channel.Match{}, func(*channel.Event) { <-release }); err != nil {
			t.Fatal(err)
		}
		quiet := channeltest.Open(t, "quiet", nodes...)
		got := channeltest.Record(t, quiet[1], channel.Match{})
		channeltest.AwaitSinks(t, quiet[0], 1)
		const n = 50
		for i := range n {
			flood(t, chans[0], 100)
			submit(t, quiet[0], channel.Event{Type: "quiet", Body: fmt.Append(nil, i)})
		}
		synctest.Wait()
		for i, body := range got.Bodies() {
			if body != fmt.Sprint(i) {
				t.Errorf("event %d says %s", i, body)
			}
		}
		if len(got.Bodies()) != n {
			t.Errorf("the other channel got %d events of %d", len(got.Bodies()), n)
		}
		if s := quiet[1].Stats(); s.Overrun > 0 || s.Queued > 0 {
			t.Errorf("the other channel has %+v", s)
		}
		close(release)
	})
}
