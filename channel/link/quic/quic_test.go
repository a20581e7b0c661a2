package quic

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"kecho/channel"
	"kecho/channel/channeltest"
	"kecho/channel/link"
)

func TestLinks(t *testing.T) {
	channeltest.TestLinks(t, func(t *testing.T, test func(*testing.T)) { test(t) }, overLoopback)
}

// overLoopback is a channeltest.MakeLinks with one UDP socket for each node.
func overLoopback(t testing.TB, n int, deadAfter time.Duration) *channeltest.LinksNet {
	town := &town{t: t}
	world := &channeltest.LinksNet{
		Introduce: town.introduce, Break: town.breakUp, Heal: func() { town.stall(nil) },
		Stall: func(a, b int) {
			town.stall(map[string]bool{town.peers[a].Addr + town.peers[b].Addr: true, town.peers[b].Addr + town.peers[a].Addr: true})
		},
	}
	for range n {
		cfg := link.Config{
			DeadAfter: deadAfter, PingInterval: deadAfter / 4,
			// A busy machine is no reason to fail. What is lost on it is tried again.
			DialTimeout: time.Minute, HelloTimeout: 20 * time.Second, FlushTimeout: 20 * time.Second,
		}
		if deadAfter == 0 {
			cfg.DeadAfter, cfg.PingInterval = time.Minute, time.Second
		}
		town.settle(world, town.transport(t), cfg)
	}
	return world
}

// town is the nodes of one test and the network between them.
type town struct {
	t     testing.TB
	pools []*link.Pool
	peers []link.Peer

	mu      sync.Mutex
	known   []map[int]bool
	conns   map[[2]int][]net.Conn
	stalled map[string]bool // addresses, from and to
}

func (tn *town) transport(t testing.TB) *Transport {
	t.Helper()
	tr, err := New(Config{Packets: &lossy{loopback(t), tn}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

func loopback(t testing.TB) *net.UDPConn {
	t.Helper()
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return udp
}

// settle adds one more node to world, with links over tr.
func (tn *town) settle(world *channeltest.LinksNet, tr *Transport, cfg link.Config) {
	tn.t.Helper()
	i := len(tn.pools)
	cfg.ID, cfg.Name, cfg.Listener = channel.NewNodeID(), fmt.Sprintf("web%d", i), tr
	cfg.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
		c, err := tr.Dial(ctx, addr)
		if err == nil {
			tn.dialed(i, addr, c)
		}
		return c, err
	}
	pool, err := link.New(cfg)
	if err != nil {
		tn.t.Fatal(err)
	}
	tn.pools, tn.known = append(tn.pools, pool), append(tn.known, map[int]bool{})
	tn.peers = append(tn.peers, link.Peer{ID: cfg.ID, Name: cfg.Name, Addr: tr.Addr().String()})
	world.IDs, world.Links = append(world.IDs, cfg.ID), append(world.Links, pool)
}

func (tn *town) introduce(a, b int) {
	tn.mu.Lock()
	defer tn.mu.Unlock()
	tn.known[a][b], tn.known[b][a] = true, true
	for _, i := range []int{a, b} {
		var peers []link.Peer
		for j := range tn.known[i] {
			peers = append(peers, tn.peers[j])
		}
		tn.pools[i].SetPeers(peers)
	}
}

func (tn *town) dialed(a int, addr string, c net.Conn) {
	tn.mu.Lock()
	defer tn.mu.Unlock()
	if tn.conns == nil {
		tn.conns = map[[2]int][]net.Conn{}
	}
	for b, p := range tn.peers {
		if p.Addr == addr {
			pair := [2]int{min(a, b), max(a, b)}
			tn.conns[pair] = append(tn.conns[pair], c)
		}
	}
}

func (tn *town) breakUp(a, b int) {
	tn.mu.Lock()
	pair := [2]int{min(a, b), max(a, b)}
	conns := tn.conns[pair]
	delete(tn.conns, pair)
	tn.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}

func (tn *town) stall(pairs map[string]bool) {
	tn.mu.Lock()
	defer tn.mu.Unlock()
	tn.stalled = pairs
}

// lossy is a socket that sends nothing to who is stalled.
type lossy struct {
	*net.UDPConn
	town *town
}

// WriteMsgUDP is how quic-go sends on a UDP socket.
func (l *lossy) WriteMsgUDP(b, oob []byte, to *net.UDPAddr) (n, oobn int, err error) {
	l.town.mu.Lock()
	drop := l.town.stalled[l.LocalAddr().String()+to.String()]
	l.town.mu.Unlock()
	if drop {
		return len(b), len(oob), nil
	}
	return l.UDPConn.WriteMsgUDP(b, oob, to)
}
