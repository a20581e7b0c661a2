package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"kecho/channel"
	"kecho/channel/channeltest"
	"kecho/channel/memnet"
)

// town is n pools that do not serve yet, for channeltest.
type town struct {
	t     testing.TB
	net   *channeltest.LinksNet
	pools []*Pool
	peers []Peer // as others know pool i

	mu    sync.Mutex
	known []map[int]bool
}

func newTown(t testing.TB) *town {
	tn := &town{t: t}
	tn.net = &channeltest.LinksNet{Introduce: tn.introduce}
	return tn
}

// add makes one more pool of what cfg says, with its own id and name.
func (tn *town) add(cfg Config) *Pool {
	i := len(tn.pools)
	cfg.ID, cfg.Name = channel.NewNodeID(), nameOf(i)
	p, err := New(cfg)
	if err != nil {
		tn.t.Fatal(err)
	}
	tn.pools = append(tn.pools, p)
	tn.peers = append(tn.peers, Peer{cfg.ID, cfg.Name, cfg.Listener.Addr().String()})
	tn.known = append(tn.known, map[int]bool{})
	tn.net.IDs = append(tn.net.IDs, cfg.ID)
	tn.net.Links = append(tn.net.Links, p)
	return p
}

func nameOf(i int) string { return fmt.Sprintf("web%d", i) }

func (tn *town) introduce(a, b int) {
	tn.mu.Lock()
	defer tn.mu.Unlock()
	tn.known[a][b], tn.known[b][a] = true, true
	for _, i := range []int{a, b} {
		var peers []Peer
		for j := range tn.known[i] {
			peers = append(peers, tn.peers[j])
		}
		tn.pools[i].SetPeers(peers)
	}
}

func (tn *town) index(addr string) int {
	return slices.IndexFunc(tn.peers, func(p Peer) bool { return p.Addr == addr })
}

// inMemory is a channeltest.MakeLinks over memnet.
func inMemory(t testing.TB, n int, deadAfter time.Duration) *channeltest.LinksNet {
	fabric := memnet.New(memnet.Config{})
	tn := newTown(t)
	var open connections
	ip := func(i int) string { return fmt.Sprintf("10.0.%d.%d", i/250, 1+i%250) }
	for i := range n {
		host := fabric.Host(ip(i))
		ln, err := host.Listen(":7947")
		if err != nil {
			t.Fatal(err)
		}
		tn.add(Config{Listener: ln, DeadAfter: deadAfter, PingInterval: deadAfter / 4, Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			c, err := host.Dial(ctx, "tcp", addr)
			if err == nil {
				open.add(i, tn.index(addr), c)
			}
			return c, err
		}})
	}
	tn.net.Break = open.close
	tn.net.Stall = func(a, b int) { fabric.Cut(ip(a), ip(b)) }
	tn.net.Heal = fabric.Heal
	return tn.net
}

// connections are what was dialed between pairs of nodes.
type connections struct {
	mu    sync.Mutex
	conns map[[2]int][]io.Closer
}

func (cs *connections) add(a, b int, c ...io.Closer) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.conns == nil {
		cs.conns = map[[2]int][]io.Closer{}
	}
	pair := [2]int{min(a, b), max(a, b)}
	cs.conns[pair] = append(cs.conns[pair], c...)
}

func (cs *connections) close(a, b int) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	pair := [2]int{min(a, b), max(a, b)}
	for _, c := range cs.conns[pair] {
		c.Close()
	}
	delete(cs.conns, pair)
}

// overTCP is a channeltest.MakeLinks over loopback, by way of a relay that can
// stall. Both ends of a link are real sockets. secure may be nil.
func overTCP(secure func(i int) *tls.Config) channeltest.MakeLinks {
	return func(t testing.TB, n int, deadAfter time.Duration) *channeltest.LinksNet {
		tn := newTown(t)
		r := newRelay(t)
		for i := range n {
			cfg := Config{Listener: loopback(t), DeadAfter: deadAfter, PingInterval: deadAfter / 4}
			// A busy machine is no reason to fail.
			cfg.DialTimeout, cfg.HelloTimeout, cfg.FlushTimeout = time.Minute, time.Minute, 20*time.Second
			if deadAfter == 0 {
				cfg.DeadAfter, cfg.PingInterval = time.Minute, time.Second
			}
			if secure != nil {
				cfg.TLS = secure(i)
			}
			cfg.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
				return r.dial(ctx, i, tn.index(addr), addr)
			}
			tn.add(cfg)
		}
		tn.net.Break, tn.net.Stall, tn.net.Heal = r.open.close, r.stall, r.heal
		return tn.net
	}
}

func loopback(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// relay stands in the middle of TCP connections.
type relay struct {
	t    testing.TB
	open connections
	wg   sync.WaitGroup

	mu      sync.Mutex
	stalled map[[2]int]bool
	change  chan struct{} // closed and replaced by stall and heal
	over    bool
}

func newRelay(t testing.TB) *relay {
	r := &relay{t: t, stalled: map[[2]int]bool{}, change: make(chan struct{})}
	t.Cleanup(func() {
		r.set(func() { r.over = true })
		r.wg.Wait()
	})
	return r
}

func (r *relay) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	close(r.change)
	r.change = make(chan struct{})
}

func (r *relay) stall(a, b int) {
	r.set(func() { r.stalled[[2]int{min(a, b), max(a, b)}] = true })
}

func (r *relay) heal() { r.set(func() { clear(r.stalled) }) }

// dial connects a to b's listener at addr.
func (r *relay) dial(ctx context.Context, a, b int, addr string) (net.Conn, error) {
	var d net.Dialer
	far, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, far.Close())
	}
	defer ln.Close()
	near, err := d.DialContext(ctx, "tcp", ln.Addr().String())
	if err != nil {
		return nil, errors.Join(err, far.Close())
	}
	middle, err := ln.Accept()
	if err != nil {
		return nil, errors.Join(err, far.Close(), near.Close())
	}
	for _, c := range []net.Conn{middle, far} {
		c.(*net.TCPConn).SetReadBuffer(256 << 10) // tests fill them
		c.(*net.TCPConn).SetWriteBuffer(256 << 10)
	}
	r.open.add(a, b, middle, far)
	r.wg.Go(func() { r.pass(a, b, far, middle) })
	r.wg.Go(func() { r.pass(a, b, middle, far) })
	return near, nil
}

// pass copies one direction until it ends.
func (r *relay) pass(a, b int, to, from net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		r.gate(a, b)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				from.Close()
				return
			}
		}
		if err != nil {
			to.(*net.TCPConn).CloseWrite()
			if err != io.EOF {
				to.Close()
			}
			return
		}
	}
}

func (r *relay) gate(a, b int) {
	for {
		r.mu.Lock()
		stalled := r.stalled[[2]int{min(a, b), max(a, b)}] && !r.over
		change := r.change
		r.mu.Unlock()
		if !stalled {
			return
		}
		<-change
	}
}

// logged is a receiver that signals what it is told.
type logged struct {
	up   chan channel.NodeID
	down chan error
	got  chan string
}

func newLogged() *logged {
	return &logged{make(chan channel.NodeID, 1000), make(chan error, 1000), make(chan string, 1000)}
}

func (r *logged) LinkUp(peer channel.NodeID)           { r.up <- peer }
func (r *logged) LinkDown(_ channel.NodeID, err error) { r.down <- err }
func (r *logged) Receive(_ channel.NodeID, _ time.Time, frame []byte, _ bool) error {
	r.got <- string(frame)
	return nil
}

// serve runs p until the test ends, or stop is called.
func serve(t testing.TB, p *Pool, r channel.Receiver) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := p.Serve(ctx, r); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return stop
}
