package channel_test

import (
	"context"
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

// registry is a channel.Registry whose members the test sets.
type registry struct {
	err error // what Watch returns at once, unless nil

	mu   sync.Mutex
	said []channel.Announcement
	tell func([]channel.Member)
}

func (r *registry) Announce(a channel.Announcement) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, a)
	return nil
}

func (r *registry) Watch(ctx context.Context, changed func([]channel.Member)) error {
	if r.err != nil {
		return r.err
	}
	r.mu.Lock()
	r.tell = changed
	r.mu.Unlock()
	<-ctx.Done()
	return nil
}

func TestOpenAndCloseAreToldAtOnce(t *testing.T) {
	bubble(t, 3, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		start := time.Now()
		var others []*channel.Channel
		for i, n := range nodes {
			c, err := n.Open("other")
			if err != nil {
				t.Fatal(err)
			}
			others = append(others, c)
			synctest.Wait()
			if k := sinkCount(others[0]); k != i {
				t.Errorf("%d sinks after node %d opened, want %d", k, i+1, i)
			}
		}
		others[1].Close()
		synctest.Wait()
		if a, b, c := sinkCount(others[0]), sinkCount(others[1]), sinkCount(others[2]); a != 1 || b != 0 || c != 1 {
			t.Errorf("%d, %d and %d sinks after node 2 closed, want 1, 0 and 1", a, b, c)
		}
		for _, c := range chans {
			if k := sinkCount(c); k != 2 {
				t.Errorf("%d sinks of the channel that nobody closed, want 2", k)
			}
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("it took %v", d)
		}
	})
}

func TestStraysAreCounted(t *testing.T) {
	n, c, _, r := stage(t, 1, 1)
	c.Close() // which the peer hears of later
	if err := r.Receive(100, time.Now(), pack(t, head(100, "work", "a")), false); err != nil {
		t.Fatal(err)
	}
	if k := n.Strays(); k != 1 {
		t.Errorf("%d strays, want 1", k)
	}
}

func TestAnnounceToRegistry(t *testing.T) {
	r := &registry{}
	n, _ := channel.New(channel.Config{Registry: r})
	a, _ := n.Open("a")
	n.Open("b")
	a.Close()
	want := "[{1 [a] false} {2 [a b] false} {3 [b] false}]"
	if got := fmt.Sprint(r.said); got != want {
		t.Errorf("the registry was told %v, want %v", got, want)
	}
}

// What a peer says of itself comes by two ways; the newer counts.
func TestNewerAnnouncementCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const peer = channel.NodeID(2)
		r := &registry{}
		hub := channeltest.NewHub()
		n, _ := channel.New(channel.Config{ID: 1, Links: hub.Links(1), Registry: r})
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() { n.Run(ctx) })
		raw := startRawPeer(t, hub, peer)
		for _, name := range []string{"a", "b", "c"} {
			n.Open(name)
		}
		synctest.Wait()
		open := func() (names []string) {
			synctest.Wait()
			for _, c := range n.Channels() {
				if sinkCount(c) > 0 {
					names = append(names, c.Name())
				}
			}
			return names
		}
		gossip := func(version uint64, partial bool, names ...string) {
			r.tell([]channel.Member{
				{ID: 1}, {ID: 0}, // itself and nobody: ignored
				{ID: peer, Announcement: channel.Announcement{Version: version, Channels: names, Partial: partial}},
			})
		}
		equal(t, "at first", open(), nil)
		gossip(1, false, "a")
		equal(t, "gossip 1", open(), []string{"a"})
		raw.announce(t, 2, "b")
		equal(t, "link 2", open(), []string{"b"})
		gossip(1, false, "a")
		equal(t, "gossip 1 again", open(), []string{"b"})
		raw.announce(t, 1, "c")
		equal(t, "link 1, late", open(), []string{"b"})
		gossip(3, false, "c")
		equal(t, "gossip 3", open(), []string{"c"})
		gossip(4, true, "a")
		equal(t, "gossip 4, partial", open(), []string{"a", "b"})
		raw.announce(t, 4, "c")
		equal(t, "link 4", open(), []string{"c"})
		r.tell(nil) // gossip believes that it is gone; the link is up
		equal(t, "no member", open(), []string{"c"})
		hub.Down(1, peer)
		equal(t, "no link", open(), nil)
		hub.Up(1, peer)
		equal(t, "again", open(), nil)
		raw.announce(t, 0, "a")
		equal(t, "again, link 0", open(), []string{"a"})
		hub.Down(1, peer)
		gossip(9, false, "a")
		equal(t, "a member without a link", open(), nil)
		hub.Up(1, peer)
		raw.announce(t, 10, "b")
		equal(t, "a member with a link", open(), []string{"b"})
		hub.Down(1, peer)
		hub.Up(1, peer)
		equal(t, "what an earlier link said", open(), []string{"a"})
		cancel()
		wg.Wait()
	})
}

func TestWatch(t *testing.T) {
	bubble(t, 3, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, hub *channeltest.Hub) {
		var log []string
		stop := chans[0].Watch(func(s channel.Sink, present bool) {
			log = append(log, fmt.Sprint(uint64(s.Node), present))
			if present { // a callback may use the node
				if c, err := nodes[0].Open("in a callback"); err == nil {
					c.Watch(func(channel.Sink, bool) {})
					c.Close()
				}
			}
		})
		steps := []func(){
			func() {},
			func() { hub.Down(1, 3) },
			func() { chans[1].Close() },
			func() { hub.Up(1, 3) },
			func() {
				c, err := nodes[1].Open("work")
				if err != nil {
					t.Fatal(err)
				}
				chans[1] = c
			},
			func() { hub.Down(1, 2); hub.Up(1, 2) },
			func() { stop(); chans[1].Close() },
		}
		for _, step := range steps {
			step()
			synctest.Wait()
		}
		equal(t, "calls", log, strings.Split("2 true,3 true,3 false,2 false,3 true,2 true,2 false,2 true", ","))
	})
}

// Nothing is called after it was stopped, not even what was on its way.
func TestWatchStop(t *testing.T) {
	bubble(t, 2, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, hub *channeltest.Hub) {
		var stopSecond func()
		second := 0
		chans[0].Watch(func(_ channel.Sink, present bool) {
			if !present {
				stopSecond()
			}
		})
		stopSecond = chans[0].Watch(func(channel.Sink, bool) { second++ })
		hub.Down(1, 2)
		synctest.Wait()
		if second != 1 {
			t.Errorf("%d calls of the second watcher, want 1: that the sink was there", second)
		}
	})
}

// Under changes from all sides every watcher must see, for each sink, coming
// and going by turns, and end with the truth.
func TestWatchSeesComingAndGoingByTurns(t *testing.T) {
	bubble(t, 4, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, hub *channeltest.Hub) {
		present := map[channel.NodeID]bool{}
		inside := false
		chans[0].Watch(func(s channel.Sink, now bool) {
			if inside {
				t.Error("two calls at once")
			}
			inside = true
			time.Sleep(time.Microsecond) // lets others try
			if present[s.Node] == now {
				t.Errorf("node %v: present %v twice in a row", s.Node, now)
			}
			present[s.Node] = now
			inside = false
		})
		var wg sync.WaitGroup
		for i, n := range nodes[1:] {
			c := chans[i+1]
			wg.Go(func() {
				for j := range 100 {
					hub.Down(1, n.ID())
					c.Close()
					if j%5 == 0 {
						time.Sleep(time.Millisecond)
					}
					hub.Up(1, n.ID())
					c, _ = n.Open("work")
				}
			})
		}
		wg.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		for _, n := range nodes[1:] {
			if !present[n.ID()] {
				t.Errorf("node %v is not present in the end", n.ID())
			}
		}
	})
}

func TestSinksOrder(t *testing.T) {
	bubble(t, 5, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		var ids []channel.NodeID
		for s := range chans[2].Sinks() {
			ids = append(ids, s.Node)
			if s.Local || s.Heard.After(time.Now()) {
				t.Errorf("sink %+v", s)
			}
		}
		if want := []channel.NodeID{1, 2, 4, 5}; !slices.Equal(ids, want) {
			t.Errorf("sinks %v, want %v", ids, want)
		}
		for range chans[2].Sinks() {
			break // an iteration may end early
		}
	})
}
