package memnet_test

import (
	"errors"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel/memnet"
)

func listenPacket(t *testing.T, h *memnet.Host, addr string) net.PacketConn {
	t.Helper()
	s, err := h.ListenPacket(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// post sends the numbers from 0 on, one a millisecond.
func post(t *testing.T, from net.PacketConn, to net.Addr, n int) {
	t.Helper()
	for i := range n {
		if _, err := from.WriteTo([]byte{byte(i)}, to); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

// fetch is all that has come within a second.
func fetch(t *testing.T, s net.PacketConn) (got []byte, from net.Addr) {
	t.Helper()
	s.SetReadDeadline(time.Now().Add(time.Second))
	buf := make([]byte, 10)
	for {
		n, addr, err := s.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return got, from
		}
		if err != nil || n != 1 {
			t.Fatalf("read %d bytes: %v", n, err)
		}
		got, from = append(got, buf[0]), addr
	}
}

func TestPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{Delay: 5 * time.Millisecond})
		a, b := n.Host("10.0.0.1"), n.Host("10.0.0.2")
		near, far := listenPacket(t, a, ":7"), listenPacket(t, b, "10.0.0.2:0")
		post(t, near, far.LocalAddr(), 20)
		got, from := fetch(t, far)
		if len(got) != 20 || !slices.IsSorted(got) || from.String() != "10.0.0.1:7" {
			t.Errorf("got %v from %v, want 0 to 19 from 10.0.0.1:7", got, from)
		}
		n.Cut("10.0.0.1", "10.0.0.2")
		post(t, near, far.LocalAddr(), 5)
		n.Heal()
		if got, _ := fetch(t, far); len(got) > 0 {
			t.Errorf("%v came through a cut", got)
		}
		for range 2000 { // more than it holds
			near.WriteTo([]byte{1}, far.LocalAddr())
		}
		time.Sleep(10 * time.Millisecond)
		if got, _ := fetch(t, far); len(got) != 1024 {
			t.Errorf("a socket held %d datagrams, want 1,024", len(got))
		}
		b.Crash()
		if _, _, err := far.ReadFrom(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read on a crashed host: %v", err)
		}
		if _, err := near.WriteTo([]byte{1}, far.LocalAddr()); err != nil {
			t.Errorf("a datagram to a host that is down: %v, want that it vanishes", err)
		}
	})
}

func TestPacketFaults(t *testing.T) {
	for name, c := range map[string]struct {
		cfg      memnet.Config
		min, max int // of 200
		sorted   bool
	}{
		"lost":  {memnet.Config{Seed: 1, Loss: 0.5}, 60, 140, true},
		"twice": {memnet.Config{Seed: 1, Twice: 0.5}, 260, 340, true},
		"late":  {memnet.Config{Seed: 1, Late: 0.5}, 200, 200, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := memnet.New(c.cfg)
				near, far := listenPacket(t, n.Host("10.0.0.1"), ":7"), listenPacket(t, n.Host("10.0.0.2"), ":7")
				post(t, near, far.LocalAddr(), 200)
				got, _ := fetch(t, far)
				if len(got) < c.min || len(got) > c.max || slices.IsSorted(got) != c.sorted {
					t.Errorf("%d of 200 datagrams came, in order: %v", len(got), slices.IsSorted(got))
				}
			})
		})
	}
}

func TestPacketPorts(t *testing.T) {
	h := memnet.New(memnet.Config{}).Host("10.0.0.1")
	s := listenPacket(t, h, ":7")
	listen(t, h, ":7") // a stream's port is another one
	if _, err := h.ListenPacket(":7"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("taken port: %v", err)
	}
	if _, err := h.ListenPacket("10.0.0.2:7"); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("another's address: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed twice: %v", err)
	}
	if _, err := s.WriteTo(nil, s.LocalAddr()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after Close: %v", err)
	}
	listenPacket(t, h, ":7")
}
