package memnet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"kecho/channel/memnet"
)

// TestConn holds the streams to what the standard library's own are held to.
func TestConn(t *testing.T) {
	for name, cfg := range map[string]memnet.Config{
		"at once": {},
		"delayed": {Delay: 100 * time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				c1, c2 = pair(t, memnet.New(cfg))
				return c1, c2, func() { c1.Close(); c2.Close() }, nil
			})
		})
	}
}

// pair is a stream between the hosts 10.0.0.1 and 10.0.0.2.
func pair(t testing.TB, n *memnet.Net) (client, server net.Conn) {
	t.Helper()
	l := listen(t, n.Host("10.0.0.2"), ":0")
	client, err := n.Host("10.0.0.1").Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close(); l.Close() })
	return client, server
}

func listen(t testing.TB, h *memnet.Host, addr string) net.Listener {
	t.Helper()
	l, err := h.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func send(t testing.TB, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatalf("write %q: %v", text, err)
	}
}

func receive(t testing.TB, c net.Conn, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != want {
		t.Fatalf("read %q, %v; want %q", b, err, want)
	}
}

// silent fails if anything comes within d.
func silent(t testing.TB, c net.Conn, d time.Duration) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(d))
	n, err := c.Read(make([]byte, 1))
	if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v; want none for %v", n, err, d)
	}
	c.SetReadDeadline(time.Time{})
}

func TestDelayHoldsBackDataAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{Delay: 40 * time.Millisecond})
		start := time.Now()
		c, s := pair(t, n)
		if took := time.Since(start); took != 80*time.Millisecond {
			t.Errorf("dial took %v, want a round trip of 80ms", took)
		}
		start = time.Now()
		send(t, c, "one")
		n.SetDelay(10 * time.Millisecond) // must not overtake
		send(t, c, "two")
		c.Close()
		receive(t, s, "onetwo")
		if _, err := s.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after the last byte: %v, want EOF", err)
		}
		if took := time.Since(start); took != 40*time.Millisecond {
			t.Errorf("took %v, want 40ms", took)
		}
	})
}

func TestHostDelayAddsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{Delay: time.Millisecond})
		c, s := pair(t, n)
		n.Host("10.0.0.2").SetDelay(500 * time.Millisecond)
		start := time.Now()
		send(t, c, "x")
		receive(t, s, "x")
		if took := time.Since(start); took != 501*time.Millisecond {
			t.Errorf("took %v, want 501ms", took)
		}
	})
}

func TestWriteWaitsWhenTheWindowIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pair(t, memnet.New(memnet.Config{}))
		c.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := c.Write(make([]byte, 1<<20))
		if n != 256<<10 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("wrote %d, %v; want the window and a timeout", n, err)
		}
		go io.Copy(io.Discard, s)
		c.SetWriteDeadline(time.Time{})
		if n, err := c.Write(make([]byte, 1<<20)); n != 1<<20 || err != nil {
			t.Fatalf("wrote %d, %v to a reader", n, err)
		}
		c.Close()
		s.Close()
	})
}

func TestHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pair(t, memnet.New(memnet.Config{}))
		send(t, c, "request")
		c.(interface{ CloseWrite() error }).CloseWrite()
		if b, err := io.ReadAll(s); string(b) != "request" || err != nil {
			t.Fatalf("read %q, %v", b, err)
		}
		send(t, s, "response")
		receive(t, c, "response")
		if _, err := c.Write([]byte("more")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write after CloseWrite: %v, want EPIPE", err)
		}
	})
}

func TestWriteToAClosedPeerIsReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pair(t, memnet.New(memnet.Config{}))
		s.Close()
		if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("write: %v, want ECONNRESET", err)
		}
		if err := s.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second close: %v, want ErrClosed", err)
		}
	})
}

func TestCloseWakesWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t, memnet.New(memnet.Config{}))
		got := make(chan error)
		go func() { _, err := c.Read(make([]byte, 1)); got <- err }()
		synctest.Wait()
		c.Close()
		if err := <-got; !errors.Is(err, net.ErrClosed) {
			t.Errorf("read: %v, want ErrClosed", err)
		}
	})
}

func BenchmarkRoundTrip(b *testing.B) {
	c, s := pair(b, memnet.New(memnet.Config{}))
	go io.Copy(s, s)
	buf := make([]byte, 1024)
	b.ReportAllocs()
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		c.Write(buf)
		io.ReadFull(c, buf)
	}
}

func dialError(t testing.TB, h *memnet.Host, addr string, within time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	c, err := h.Dial(ctx, "tcp", addr)
	if err == nil {
		c.Close()
		t.Fatalf("dial %s worked", addr)
	}
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "dial" {
		t.Fatalf("dial %s: %v is not a dial error", addr, err)
	}
	return err
}
