package registry_test

import (
	"bytes"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"kecho/channel/registry"
)

// loopback is a node on real sockets of this machine.
func loopback(t testing.TB, name string, seeds ...string) node {
	t.Helper()
	n := run(t, registry.Config{
		Name:     name,
		Bind:     "127.0.0.1:0",
		LinkAddr: "0.0.0.0:7947",
		Seeds:    seeds,
		Key:      bytes.Repeat([]byte{7}, 32),
	}, nil)
	<-n.Ready()
	return n
}

func TestOnSockets(t *testing.T) {
	a := loopback(t, "web0")
	b := loopback(t, "web1", a.Addr())
	c := loopback(t, "web2", a.Addr())
	for _, n := range []node{a, b, c} {
		await(t, n.Registry, "two peers with links", func(p map[string]registry.Peer) bool {
			for _, peer := range p {
				if peer.LinkAddr != "127.0.0.1:7947" {
					return false
				}
			}
			return len(p) == 2
		})
	}
	second := loopback(t, "web2", b.Addr())
	<-second.ended
	if err := second.stop(); !errors.Is(err, registry.ErrNameTaken) {
		t.Errorf("a name that is taken: %v", err)
	}
	if err := c.stop(); err != nil {
		t.Error(err)
	}
	await(t, a.Registry, "that c has left", func(p map[string]registry.Peer) bool { return len(p) == 1 })
	var wg sync.WaitGroup
	for _, n := range []node{a, b} {
		wg.Go(func() { n.stop() })
	}
	wg.Wait()
	nothingRuns(t)
}

func TestBindIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n := run(t, registry.Config{Name: "web0", Bind: l.Addr().String()}, nil)
	<-n.ended
	err = n.stop()
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("got %v", err)
	}
	nothingRuns(t)
}

// nothingRuns fails if serf or memberlist still has a goroutine.
func nothingRuns(t *testing.T) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "hashicorp/") {
			t.Errorf("still running:\n%s", stack)
		}
	}
}
