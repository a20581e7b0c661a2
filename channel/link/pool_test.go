package link

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
)

func TestServeTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHamlet(t, 1, Config{})
		serve(t, h.pools[0], newLogged())
		synctest.Wait()
		if err := h.pools[0].Serve(t.Context(), newLogged()); err == nil || !strings.Contains(err.Error(), "twice") {
			t.Errorf("the second Serve: %v, want an error", err)
		}
	})
}

// A listener that somebody else closed ends Serve, with the links.
func TestListenerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHamlet(t, 1, Config{DeadAfter: time.Hour})
		p, end := h.pools[0], newLogged()
		p.SetPeers([]Peer{{ID: 7, Name: "web7", Addr: "10.0.0.9:1"}})
		served := make(chan error)
		go func() { served <- p.Serve(t.Context(), end) }()
		h.hello(t, 9, hello7)
		<-end.up
		p.cfg.Listener.Close()
		if err := <-served; !errors.Is(err, net.ErrClosed) || !errors.Is(err, errListener) {
			t.Errorf("Serve: %v, want that the listener failed", err)
		}
		if err := <-end.down; !errors.Is(err, ErrDraining) {
			t.Errorf("the link went down because of %v", err)
		}
	})
}

// flaky is a listener that has no descriptors for a while.
type flaky struct {
	net.Listener
	failures atomic.Int64
}

func (f *flaky) Accept() (net.Conn, error) {
	if f.failures.Add(-1) >= 0 {
		return nil, errors.New("too many open files")
	}
	return f.Listener.Accept()
}

func TestAcceptRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHamlet(t, 1, Config{DeadAfter: time.Hour})
		p := h.pools[0]
		f := &flaky{Listener: p.cfg.Listener}
		f.failures.Store(20)
		p.cfg.Listener = f
		p.SetPeers([]Peer{{ID: 7, Name: "web7", Addr: "10.0.0.9:1"}})
		began := time.Now()
		serve(t, p, newLogged())
		h.hello(t, 9, hello7)
		if d := time.Since(began); d < 10*time.Second || d > 15*time.Second {
			t.Errorf("20 failures took %v, want waits from 5 ms to 1 s", d)
		}
	})
}

// A peer that reads nothing does not hold up the end for longer than
// FlushTimeout, and one that never answers a hello not at all.
func TestServeEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHamlet(t, 1, Config{DeadAfter: time.Hour})
		p, end := h.pools[0], newLogged()
		stop := serve(t, p, end)
		ln, err := h.host(8).Listen(":1") // nobody accepts
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		p.SetPeers([]Peer{{ID: 7, Name: "web7", Addr: "10.0.0.99:1"}, {ID: 8, Name: "web8", Addr: ln.Addr().String()}})
		h.hello(t, 9, hello7)
		<-end.up
		for err := error(nil); err == nil; { // until the queue is full
			err = p.Send(t.Context(), 7, channel.Handling{Priority: channel.Normal}, make([]byte, 30<<10))
		}
		began := time.Now()
		stop()
		if d := time.Since(began); d != 500*time.Millisecond {
			t.Errorf("Serve ended after %v, want FlushTimeout", d)
		}
		if err := <-end.down; !errors.Is(err, ErrDraining) {
			t.Errorf("the link went down because of %v", err)
		}
		if err := p.Send(t.Context(), 7, channel.Handling{Priority: channel.Normal}, nil); !errors.Is(err, channel.ErrNoLink) {
			t.Errorf("send after the end: %v", err)
		}
		p.SetPeers([]Peer{{ID: 9, Name: "web9"}}) // starts nothing any more
	})
}

// A peer that leaves says so, and the other end knows at once.
func TestBye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHamlet(t, 2, Config{})
		ends := []*logged{newLogged(), newLogged()}
		stop := serve(t, h.pools[0], ends[0])
		serve(t, h.pools[1], ends[1])
		h.introduce(0, 1)
		<-ends[0].up
		<-ends[1].up
		began := time.Now()
		stop()
		if err := <-ends[1].down; err != ErrLeft {
			t.Errorf("the link went down because of %v, want ErrLeft", err)
		}
		if err := <-ends[0].down; err != ErrDraining {
			t.Errorf("the link went down because of %v, want ErrDraining", err)
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("leaving took %v when nothing waited", d)
		}
	})
}

func TestManyStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := guest(t, Config{DeadAfter: time.Hour})
		accepted := 0
		for range 2 * maxGreeting {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			conn, err := h.host(8).Dial(ctx, "tcp", h.peers[0].Addr)
			cancel()
			synctest.Wait()
			if err == nil {
				accepted++
				t.Cleanup(func() { conn.Close() })
			}
		}
		if accepted < maxGreeting {
			t.Errorf("%d connections were let in, want at least %d", accepted, maxGreeting)
		}
		time.Sleep(2 * time.Second) // they lose their places
		synctest.Wait()
		h.hello(t, 9, hello7)
		<-end.up
	})
}

func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHamlet(t, 3, Config{QueueFrames: 8, DeadAfter: time.Hour})
		ends := []*logged{newLogged(), newLogged(), newLogged()}
		for i, p := range h.pools {
			serve(t, p, ends[i])
		}
		h.introduce(0, 2)
		h.introduce(0, 1)
		for range 2 {
			<-ends[0].up
		}
		<-ends[1].up
		began := time.Now()
		time.Sleep(time.Minute)
		to := h.peers[1].ID
		h.pools[0].Send(t.Context(), to, channel.Handling{Priority: channel.Urgent}, make([]byte, 10))
		h.pools[0].Send(t.Context(), to, channel.Handling{Priority: channel.Normal}, make([]byte, 20))
		h.pools[0].Send(t.Context(), to, channel.Handling{Priority: channel.Bulk}, make([]byte, 30))
		<-ends[1].got
		<-ends[1].got
		<-ends[1].got
		h.fabric.Cut("10.0.0.1", "10.0.0.2")
		for err := error(nil); err == nil; {
			err = h.pools[0].Send(t.Context(), to, channel.Handling{Priority: channel.Normal}, make([]byte, 60<<10))
			synctest.Wait() // the writer has taken what it takes
		}
		s := h.pools[0].Stats()
		if len(s) != 2 || s[0].Name != "web1" || s[1].Name != "web2" {
			t.Fatalf("stats are %+v, want those of web1 and web2", s)
		}
		got := s[0]
		if got.Peer != to || got.Addr != h.peers[1].Addr || !got.Since.Equal(began) || got.LastError != nil {
			t.Errorf("stats are %+v", got)
		}
		if want := (Flow{FramesOut: 1, BytesOut: 10}); got.Urgent != want {
			t.Errorf("urgent: %+v, want %+v", got.Urgent, want)
		}
		if want := (Flow{FramesOut: 1, BytesOut: 30}); got.Bulk != want {
			t.Errorf("bulk: %+v, want %+v", got.Bulk, want)
		}
		if n := got.Normal; n.Refused != 1 || n.Queued != 5 || n.QueuedBytes != 5*(60<<10+headerSize) || n.BytesOut != 20+(n.FramesOut-1)*(60<<10) {
			t.Errorf("normal: %+v", n)
		}
		far := h.pools[1].Stats()[0]
		if far.Urgent != (Flow{FramesIn: 1, BytesIn: 10}) || far.Normal.BytesIn != 20 || far.Bulk.BytesIn != 30 {
			t.Errorf("at the other end: %+v", far)
		}
	})
}
