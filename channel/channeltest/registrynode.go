package channeltest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
)

// registryTest is one test of the suite.
type registryTest struct {
	testing.TB
	*RegistryNet
}

// registryNode is a node and what it last said of the others.
type registryNode struct {
	RegistryNode
	t      *registryTest
	r      channel.Registry
	runs   func(context.Context) error
	cancel context.CancelFunc
	done   chan struct{} // Run has ended
	err    error         // of Run, after done

	mu      sync.Mutex
	members []channel.Member
	changed chan struct{}
}

// make makes a node that does not run yet, but is watched. It must be run.
func (t *registryTest) make(n RegistryNode) *registryNode {
	n.ID = channel.NewNodeID()
	if n.Name == "" {
		n.Name = fmt.Sprintf("web%d", n.Host)
	}
	node := &registryNode{RegistryNode: n, t: t, done: make(chan struct{}), changed: make(chan struct{})}
	node.r, node.runs = t.Make(n)
	watch, end := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		if err := node.r.Watch(watch, node.set); err != nil {
			t.Errorf("Watch: %v", err)
		}
	}()
	t.Cleanup(func() { end(); <-over })
	return node
}

func (t *registryTest) start(n RegistryNode) *registryNode {
	node := t.make(n)
	node.run()
	return node
}

func (n *registryNode) run() {
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	go func() {
		defer close(n.done)
		n.err = n.runs(ctx)
	}()
	n.t.Cleanup(func() { cancel(); <-n.done })
}

func (n *registryNode) set(members []channel.Member) {
	for _, m := range members {
		if m.ID == n.ID {
			n.t.Errorf("%s is told of itself", n.Name)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.members = members
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *registryNode) announce(a channel.Announcement) {
	n.t.Helper()
	if err := n.r.Announce(a); err != nil {
		n.t.Errorf("announce: %v", err)
	}
}

// stop ends a node the proper way.
func (n *registryNode) stop() error {
	n.cancel()
	<-n.done
	return n.err
}

// ended is Run's error, when it ends by itself.
func (n *registryNode) ended(within time.Duration) error {
	n.t.Helper()
	select {
	case <-n.done:
		return n.err
	case <-time.After(within):
		n.t.Errorf("%s runs after %v, want an error", n.Name, within)
		return nil
	}
}

// await waits until ok holds of what the node knows.
func (n *registryNode) await(within time.Duration, what string, ok func([]channel.Member) bool) {
	n.t.Helper()
	synctest.Wait()
	late := time.After(within)
	for {
		n.mu.Lock()
		members, changed := n.members, n.changed
		n.mu.Unlock()
		if ok(members) {
			return
		}
		select {
		case <-changed:
		case <-late:
			n.t.Fatalf("%s does not know %s after %v; it knows %v", n.Name, what, within, members)
		}
	}
}

// agree waits until each of the nodes knows all others of them, and no more.
func (t *registryTest) agree(within time.Duration, nodes ...*registryNode) {
	t.Helper()
	end := time.Now().Add(within)
	for _, n := range nodes {
		n.await(time.Until(end), fmt.Sprintf("exactly the other %d", len(nodes)-1), func(ms []channel.Member) bool {
			for _, other := range nodes {
				if _, ok := find(ms, other.ID); !ok && other != n {
					return false
				}
			}
			return len(ms) == len(nodes)-1
		})
	}
}

// calm fails if anything changes for the nodes, which agree, in a minute.
func calm(t *registryTest, nodes ...*registryNode) {
	t.Helper()
	t.agree(0, nodes...)
	time.Sleep(time.Minute)
	t.agree(0, nodes...)
	for _, n := range nodes {
		select {
		case <-n.done:
			t.Errorf("%s has ended: %v", n.Name, n.err)
		default:
		}
	}
}

func find(members []channel.Member, id channel.NodeID) (channel.Member, bool) {
	for _, m := range members {
		if m.ID == id {
			return m, true
		}
	}
	return channel.Member{}, false
}
