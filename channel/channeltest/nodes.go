package channeltest

import (
	"sync"
	"testing"
	"time"

	"kecho/channel"
)

// patience is how long a helper waits before it fails the test.
const patience = 10 * time.Second

// Nodes starts n nodes on a hub of their own, with ids 1 to n; they end with
// the test.
func Nodes(t testing.TB, n int) ([]*channel.Node, *Hub) {
	t.Helper()
	hub := NewHub()
	var nodes []*channel.Node
	for i := range n {
		nodes = append(nodes, Start(t, hub, channel.NodeID(i+1)))
	}
	return nodes, hub
}

// Start runs one more node on the hub; it ends with the test.
func Start(t testing.TB, hub *Hub, id channel.NodeID) *channel.Node {
	t.Helper()
	n, err := channel.New(channel.Config{ID: id, Links: hub.Links(id)})
	if err != nil {
		t.Fatalf("make node %v: %v", id, err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := n.Run(t.Context()); err != nil {
			t.Errorf("node %v: %v", id, err)
		}
	})
	t.Cleanup(wg.Wait)
	return n
}

// Open opens the channel on each of nodes and waits until each sees all the
// others; the pairs' links must be up.
func Open(t testing.TB, name string, nodes ...*channel.Node) []*channel.Channel {
	t.Helper()
	var chans []*channel.Channel
	for _, n := range nodes {
		c, err := n.Open(name)
		if err != nil {
			t.Fatalf("node %v: %v", n.ID(), err)
		}
		chans = append(chans, c)
	}
	for _, c := range chans {
		AwaitSinks(t, c, len(nodes)-1)
	}
	return chans
}

// AwaitSinks waits until at least n other nodes have the channel open.
func AwaitSinks(t testing.TB, c *channel.Channel, n int) {
	t.Helper()
	counts := make(chan int, 1) // the newest count
	present := 0
	stop := c.Watch(func(_ channel.Sink, here bool) {
		if here {
			present++
		} else {
			present--
		}
		select {
		case <-counts:
		default:
		}
		counts <- present
	})
	defer stop()
	timeout := time.After(patience)
	for have := 0; have < n; {
		select {
		case have = <-counts:
		case <-timeout:
			t.Fatalf("channel %q: %d sinks after %v, want %d", c.Name(), have, patience, n)
		}
	}
}
