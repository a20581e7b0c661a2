package channel_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"kecho/channel"
)

// noLinks takes every frame and does nothing with it; its peers say what the
// test lets them say.
type noLinks struct {
	serving chan channel.Receiver
	last    []byte // the last frame sent, kept when keep is set
	keep    bool
}

func (l *noLinks) Send(_ context.Context, _ channel.NodeID, _ channel.Handling, frame []byte) error {
	if l.keep {
		l.last = append(l.last[:0], frame...)
	}
	return nil
}

func (l *noLinks) Serve(ctx context.Context, r channel.Receiver) error {
	l.serving <- r
	<-ctx.Done()
	return nil
}

// stage is a node with n peers that have its channel "work" open, over noLinks.
func stage(t testing.TB, id channel.NodeID, peers int) (*channel.Node, *channel.Channel, *noLinks, channel.Receiver) {
	t.Helper()
	links := &noLinks{serving: make(chan channel.Receiver)}
	n, err := channel.New(channel.Config{ID: id, Links: links})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { n.Run(t.Context()) })
	t.Cleanup(wg.Wait)
	r := <-links.serving
	c, err := n.Open("work")
	if err != nil {
		t.Fatal(err)
	}
	for i := range peers {
		peer := channel.NodeID(100 + i)
		r.LinkUp(peer)
		frame := append(pack(t, head(peer, "", "channels")), pack(t, channel.Announcement{Version: 1, Channels: []string{"work"}})...)
		if err := r.Receive(peer, time.Now(), frame, false); err != nil {
			t.Fatal(err)
		}
	}
	if k := sinkCount(c); k != peers {
		t.Fatalf("%d sinks, want %d", k, peers)
	}
	return n, c, links, r
}

// typical is an event as the balancer sends them.
func typical() channel.Event {
	return channel.Event{
		Type: "request", Attrs: channel.Attrs{tries.Of(2), color.Of("red")}, Re: channel.ID{Source: 7, Seq: 9},
		Body: make([]byte, 100),
	}
}

// frames is what typical looks like on the link, sent by peer 100 twice, with
// descriptions that differ.
func frames(t testing.TB) [2][]byte {
	var two [2][]byte
	n, c, links, _ := stage(t, 100, 1)
	links.keep = true
	for i := range two {
		n.Describe(color.Of("node"), load.Of(float64(i)))
		submit(t, c, typical())
		two[i] = append([]byte(nil), links.last...)
	}
	return two
}

func half(_ *channel.Event, sinks []channel.Sink) []channel.Sink { return sinks[:(len(sinks)+1)/2] }

func TestSubmitAllocatesNothing(t *testing.T) {
	if racing {
		t.Skip("sync.Pool forgets under the race detector")
	}
	n, c, _, _ := stage(t, 1, 8)
	n.Describe(color.Of("node"))
	n.DescribeFunc(func(as channel.Attrs) channel.Attrs { return append(as, load.Of(0.4)) })
	c.SetOut(half)
	if _, err := c.SubscribeInline(channel.Match{}, func(*channel.Event) {}); err != nil {
		t.Fatal(err)
	}
	ctx, e := t.Context(), typical()
	if got := testing.AllocsPerRun(1000, func() {
		if _, err := c.Submit(ctx, e); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("a submit to 8 sinks allocates %v times, want 0", got)
	}
}

func TestReceiveAllocatesNothing(t *testing.T) {
	two := frames(t)
	_, c, _, r := stage(t, 1, 1)
	handled := 0
	for _, m := range []channel.Match{{Type: "request"}, {Source: 100}} {
		if _, err := c.SubscribeInline(m, func(*channel.Event) { handled++ }); err != nil {
			t.Fatal(err)
		}
	}
	for name, in := range map[string]channel.Filter{"no filter": nil, "IN-filter": half} {
		c.SetIn(in)
		receive := func(frame []byte) {
			if err := r.Receive(100, time.Now(), frame, false); err != nil {
				t.Fatal(err)
			}
		}
		if got := testing.AllocsPerRun(1000, func() { receive(two[0]) }); got != 0 {
			t.Errorf("%s: receiving allocates %v times, want 0", name, got)
		}
		i := 0
		// A description is shared with whoever looks at the sinks, so a new
		// one is made whenever it changes.
		if got := testing.AllocsPerRun(1000, func() { receive(two[i%2]); i++ }); got > 1 {
			t.Errorf("%s: receiving with a description that changes allocates %v times, want at most 1", name, got)
		}
	}
	if handled == 0 {
		t.Error("nothing was handled")
	}
}

func BenchmarkSubmit(b *testing.B) {
	for _, peers := range []int{1, 8} {
		for name, out := range map[string]channel.Filter{"all": nil, "discard": func(*channel.Event, []channel.Sink) []channel.Sink { return nil }} {
			b.Run(fmt.Sprint(peers, "sinks/", name), func(b *testing.B) {
				_, c, _, _ := stage(b, 1, peers)
				c.SetOut(out)
				ctx, e := b.Context(), typical()
				b.ReportAllocs()
				for b.Loop() {
					c.Submit(ctx, e)
				}
			})
		}
	}
}

func BenchmarkReceive(b *testing.B) {
	two := frames(b)
	for _, every := range []int{1, 2} {
		b.Run([]string{"", "same description", "changing description"}[every], func(b *testing.B) {
			_, c, _, r := stage(b, 1, 1)
			c.SubscribeInline(channel.Match{Type: "request"}, func(*channel.Event) {})
			b.ReportAllocs()
			now := time.Now()
			for i := 0; b.Loop(); i++ {
				r.Receive(100, now, two[i%every], false)
			}
		})
	}
}
