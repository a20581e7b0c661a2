package channel_test

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
	"kecho/channel/channeltest"
)

// fullLinks are links that have no room while full.
type fullLinks struct {
	channel.Links
	full atomic.Bool
	mu   sync.Mutex
	lost [][]byte // guarded by mu
}

func (l *fullLinks) Send(ctx context.Context, to channel.NodeID, h channel.Handling, frame []byte) error {
	if l.full.Load() {
		l.mu.Lock()
		l.lost = append(l.lost, bytes.Clone(frame))
		l.mu.Unlock()
		return channel.ErrQueueFull
	}
	return l.Links.Send(ctx, to, h, frame)
}

// What nodes want is told by links alone, and only when it changes: so it is told
// again when a link had no room for it, and so is the question.
func TestInterestsAreToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := channeltest.NewHub()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		var links [2]*fullLinks
		var chans [2]*channel.Channel
		for i := range links {
			id := channel.NodeID(1 + i)
			links[i] = &fullLinks{Links: hub.Links(id)}
			n, err := channel.New(channel.Config{ID: id, Links: links[i]})
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() { n.Run(ctx) })
			if chans[i], err = n.Open("work"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := chans[1].SubscribeInline(channel.Match{Type: "b"}, func(*channel.Event) {}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		wants := func() (terms []channel.Match) {
			for _, w := range chans[0].Interests() {
				for _, in := range w.Interests {
					if w.Node == 2 {
						terms = append(terms, in.Terms...)
					}
				}
			}
			return terms
		}
		for i, l := range links { // the question has no room, and then the answer
			l.full.Store(true)
			if i == 0 {
				defer chans[0].WatchInterests(func() {})()
			} else if _, err := chans[1].SubscribeInline(channel.Match{Type: "a"}, func(*channel.Event) {}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			l.mu.Lock()
			if n := len(l.lost); n == 0 || n > 50 {
				t.Errorf("node %d tried %d times in a second", i+1, n)
			}
			l.mu.Unlock()
			before := len(wants())
			l.full.Store(false)
			time.Sleep(time.Second)
			if got := wants(); before != i || len(got) != i+1 {
				t.Errorf("when node %d could tell again, node 2 wants %v, and %d before", i+1, got, before)
			}
		}
	})
}
