package memnet_test

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"kecho/channel/memnet"
)

func TestDialErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{})
		a, b := n.Host("10.0.0.1"), n.Host("10.0.0.2")
		if err := dialError(t, a, "10.0.0.2:80", time.Second); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("nobody listens: %v", err)
		}
		if err := dialError(t, a, "10.0.0.9:80", time.Second); !errors.Is(err, syscall.EHOSTUNREACH) {
			t.Errorf("no such host: %v", err)
		}
		var dns *net.DNSError
		if err := dialError(t, a, "web:80", time.Second); !errors.As(err, &dns) || !dns.IsNotFound {
			t.Errorf("a name: %v", err)
		}
		l := listen(t, b, ":80")
		b.Crash()
		if err := dialError(t, a, l.Addr().String(), time.Second); !err.(net.Error).Timeout() {
			t.Errorf("host down: %v", err)
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept on a crashed host: %v", err)
		}
	})
}

func TestListenErrors(t *testing.T) {
	h := memnet.New(memnet.Config{}).Host("10.0.0.1")
	l := listen(t, h, "10.0.0.1:80")
	if _, err := h.Listen(":80"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("taken port: %v", err)
	}
	if _, err := h.Listen("10.0.0.2:80"); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("another's address: %v", err)
	}
	l.Close()
	listen(t, h, "127.0.0.1:80")
	one, two := listen(t, h, ":0"), listen(t, h, ":0")
	if one.Addr().String() == two.Addr().String() {
		t.Errorf("port 0 twice gave %s", one.Addr())
	}
}

func TestListenerClosesWhatNobodyAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{})
		l := listen(t, n.Host("10.0.0.2"), ":80")
		c, err := n.Host("10.0.0.1").Dial(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read: %v, want EOF", err)
		}
	})
}

func TestLoopbackIsTheHostItself(t *testing.T) {
	h := memnet.New(memnet.Config{}).Host("10.0.0.1")
	listen(t, h, "127.0.0.1:80")
	c, err := h.Dial(t.Context(), "tcp", "localhost:80")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestPartitionStallsAndHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{Delay: time.Millisecond})
		c, s := pair(t, n)
		l := listen(t, n.Host("10.0.0.2"), ":80")
		send(t, c, "before")
		n.Partition([]string{"10.0.0.1"}) // the other host is of the rest
		send(t, c, " after")
		silent(t, s, time.Minute)
		if err := dialError(t, n.Host("10.0.0.1"), l.Addr().String(), time.Second); !err.(net.Error).Timeout() {
			t.Errorf("dial through a partition: %v", err)
		}
		dialled := make(chan error)
		go func() {
			c, err := n.Host("10.0.0.1").Dial(t.Context(), "tcp", l.Addr().String())
			if err == nil {
				c.Close()
			}
			dialled <- err
		}()
		synctest.Wait()
		n.Heal()
		receive(t, s, "before after")
		if err := <-dialled; err != nil {
			t.Errorf("a dial that waited for the partition's end: %v", err)
		}
		send(t, s, "back")
		receive(t, c, "back")
	})
}

func TestCutOneWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{})
		c, s := pair(t, n)
		n.CutOneWay("10.0.0.1", "10.0.0.2")
		send(t, c, "lost?")
		send(t, s, "heard")
		receive(t, c, "heard")
		silent(t, s, time.Minute)
		n.Cut("10.0.0.2", "10.0.0.1")
		send(t, s, "also")
		silent(t, c, time.Minute)
		n.Heal()
		receive(t, s, "lost?")
		receive(t, c, "also")
	})
}

func TestCrashSaysNoGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{})
		c, s := pair(t, n)
		b := n.Host("10.0.0.2")
		b.Crash()
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read on the crashed host: %v", err)
		}
		silent(t, c, time.Minute)
		send(t, c, "into the void")
		l := listen(t, b, ":80") // up again
		if _, err := c.Write([]byte("who?")); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("write to a restarted host: %v, want ECONNRESET", err)
		}
		again, err := n.Host("10.0.0.1").Dial(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		again.Close()
	})
}

func transport(t testing.TB, h *memnet.Host, addr string) memberlist.NodeAwareTransport {
	t.Helper()
	tr, err := h.Transport(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Shutdown() })
	return tr
}

func packet(tr memberlist.Transport) string {
	select {
	case p := <-tr.PacketCh():
		return p.From.(*net.UDPAddr).String() + " " + string(p.Buf)
	case <-time.After(time.Minute):
		return ""
	}
}

func TestDatagrams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{Delay: time.Millisecond})
		a := transport(t, n.Host("10.0.0.1"), ":7946")
		b := transport(t, n.Host("10.0.0.2"), ":7946")
		if _, err := n.Host("10.0.0.1").Transport(":7946"); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("taken port: %v", err)
		}
		write := func(text string) {
			if _, err := a.WriteTo([]byte(text), "10.0.0.2:7946"); err != nil {
				t.Errorf("write %q: %v", text, err)
			}
		}
		write("hello")
		if got := packet(b); got != "10.0.0.1:7946 hello" {
			t.Errorf("got %q", got)
		}
		n.Partition([]string{"10.0.0.1"})
		write("partitioned")
		n.Heal()
		n.SetLoss(1)
		write("lost")
		n.SetLoss(0)
		write("last")
		if got := packet(b); got != "10.0.0.1:7946 last" {
			t.Errorf("got %q, want only the last", got)
		}
		b.Shutdown()
		write("nobody")
		a.Shutdown()
		if _, err := a.WriteTo([]byte("x"), "10.0.0.2:7946"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after shutdown: %v", err)
		}
	})
}

func TestLossIsAShareAndRepeatable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		arrived := func() (which string) {
			n := memnet.New(memnet.Config{Seed: 7, Loss: 0.5})
			a, b := transport(t, n.Host("10.0.0.1"), ":1"), transport(t, n.Host("10.0.0.2"), ":1")
			for i := range 200 {
				a.WriteTo([]byte{byte(i)}, "10.0.0.2:1")
			}
			for len(b.PacketCh()) > 0 {
				which += string((<-b.PacketCh()).Buf)
			}
			return which
		}
		one, two := arrived(), arrived()
		if len(one) < 60 || len(one) > 140 {
			t.Errorf("%d of 200 arrived, want about half", len(one))
		}
		if one != two {
			t.Errorf("the same seed lost others")
		}
	})
}

func TestTransportShutdownEndsStreamsAndDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{})
		a := transport(t, n.Host("10.0.0.1"), ":7946")
		b := transport(t, n.Host("10.0.0.2"), ":7946")
		c, err := a.DialTimeout("10.0.0.2:7946", time.Second)
		if err != nil {
			t.Fatal(err)
		}
		s := <-b.StreamCh()
		n.Host("10.0.0.3").Crash()
		hanging := make(chan error)
		go func() { _, err := a.DialTimeout("10.0.0.3:7946", time.Hour); hanging <- err }()
		synctest.Wait()
		start := time.Now()
		a.Shutdown()
		if err := <-hanging; err == nil || time.Since(start) > 0 {
			t.Errorf("dial after shutdown: %v, after %v", err, time.Since(start))
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read on a dialled stream: %v", err)
		}
		b.Shutdown()
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrClosed) {
			t.Errorf("read on an accepted stream: %v", err)
		}
		listen(t, n.Host("10.0.0.1"), ":7946")
	})
}
