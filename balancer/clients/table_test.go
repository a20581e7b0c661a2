package clients_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"kecho/balancer/clients"
	"kecho/channel/memnet"
)

// door is a listener whose connections a table counts, and what it accepted.
type door struct {
	t     *testing.T
	net   *memnet.Net
	table *clients.Table
	in    chan *clients.Conn
}

const front = "10.0.0.1:80"

// open is for bubbles.
func open(t *testing.T, cfg clients.Config) *door {
	d := &door{t: t, net: memnet.New(memnet.Config{}), table: clients.New(cfg), in: make(chan *clients.Conn, 100)}
	inner, err := d.net.Host("10.0.0.1").Listen(front)
	if err != nil {
		t.Fatal(err)
	}
	l := d.table.Listen(inner)
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			d.in <- clients.Of(conn)
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		done.Wait()
	})
	return d
}

// dial connects from a host.
func (d *door) dial(from string) net.Conn {
	d.t.Helper()
	c, err := d.net.Host(from).Dial(d.t.Context(), "tcp", front)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

// client is a connection that was accepted: the client's end and the front's.
func (d *door) client() (net.Conn, *clients.Conn) {
	d.t.Helper()
	near := d.dial("10.0.0.2")
	synctest.Wait()
	return near, d.accepted(true)
}

func (d *door) accepted(want bool) *clients.Conn {
	d.t.Helper()
	synctest.Wait()
	select {
	case c := <-d.in:
		if !want {
			d.t.Fatal("a connection was accepted")
		}
		return c
	default:
		if want {
			d.t.Fatal("no connection was accepted")
		}
		return nil
	}
}

// closed says whether the front has closed its end of c.
func closed(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := c.Read(make([]byte, 1))
	var late net.Error
	return !errors.As(err, &late) || !late.Timeout()
}

func served(t *testing.T, c *clients.Conn) {
	t.Helper()
	if !c.Begin() {
		t.Fatal("a connection was given up")
	}
	c.End()
	time.Sleep(10 * time.Millisecond)
}

// TestIdleMakesRoom: who has been idle longest goes, and nobody who is served.
func TestIdleMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, clients.Config{Most: 3})
		first, a := d.client()
		second, b := d.client()
		third, c := d.client()
		if !b.Begin() {
			t.Fatal("not begun")
		}
		served(t, c)
		served(t, a)
		time.Sleep(time.Minute)
		d.client()
		if closed(first) || closed(second) || !closed(third) {
			t.Errorf("closed: %v, %v, %v; want only the third", closed(first), closed(second), closed(third))
		}
		if c.Begin() || !a.Begin() {
			t.Error("a request begins on what was closed, or does not on what was not")
		}
		if s := d.table.Stats(); s.Open != 3 || s.Busy != 2 || s.Closed != 1 || s.Accepted != 4 {
			t.Errorf("%+v", s)
		}
	})
}

// TestSilentGoFirst: connections that nobody has used make room before those
// of clients that were served, but not in their first second.
func TestSilentGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, clients.Config{Most: 2})
		kept, a := d.client()
		served(t, a)
		time.Sleep(time.Minute)
		silent, _ := d.client()
		time.Sleep(2 * time.Second)
		fresh, b := d.client()
		if closed(kept) || !closed(silent) {
			t.Fatal("the silent one stayed")
		}
		d.client()
		if !closed(kept) || closed(fresh) {
			t.Error("one that came just now made room")
		}
		served(t, b)
		d.dial("10.0.0.3")
		if d.accepted(false); closed(fresh) {
			t.Error("one that is between two requests made room")
		}
	})
}

// TestAllBusy: nothing is accepted, and the next is taken when one ends.
func TestAllBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d := open(t, clients.Config{Most: 2, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		first, a := d.client()
		second, b := d.client()
		a.Begin()
		b.Begin()
		waiting, later := d.dial("10.0.0.3"), d.dial("10.0.0.4")
		time.Sleep(30 * time.Second)
		d.accepted(false)
		if closed(first) || closed(second) || closed(waiting) || closed(later) {
			t.Error("a connection was closed")
		}
		b.End()
		d.accepted(false)
		time.Sleep(1500 * time.Millisecond)
		d.accepted(true).Begin()
		d.accepted(false)
		if !closed(second) {
			t.Error("who was idle did not make room")
		}
		_ = a.Close()
		d.accepted(true)
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "nothing is accepted") {
			t.Errorf("the log has %d lines: %s", n, log.String())
		}
		if s := d.table.Stats(); s.Waited != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// TestClosedWhileAllAreBusy: the one that waits is let go.
func TestClosedWhileAllAreBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, clients.Config{Most: 1})
		_, a := d.client()
		a.Begin()
		d.dial("10.0.0.3")
		d.accepted(false) // and the bubble ends, or the test hangs
	})
}

func TestShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d := open(t, clients.Config{
			PerAddress: 2, Exempt: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")},
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		near, a := d.client()
		d.client()
		for range 3 {
			if refused := d.dial("10.0.0.2"); !closed(refused) {
				t.Error("a third connection of an address was taken")
			}
		}
		d.accepted(false)
		d.dial("10.0.0.3")
		d.accepted(true)
		_ = a.Close()
		if _, again := d.client(); again == nil || !closed(near) {
			t.Error("what was closed still counts")
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "address=10.0.0.2") {
			t.Errorf("the log has %d lines: %s", n, log.String())
		}
		proxy := make([]*clients.Conn, 5)
		for i := range proxy {
			d.dial("10.9.0.1")
			proxy[i] = d.accepted(true)
		}
		for i, c := range []struct {
			from string
			ok   bool
		}{{"2001:db8::1", true}, {"2001:db8::ffff:1", true}, {"2001:db8::2", false}, {"2001:db8:0:1::1", true}, {"::ffff:10.0.0.3", true}} {
			if err := proxy[i].From(netip.MustParseAddr(c.from)); (err == nil) != c.ok || err != nil && !errors.Is(err, clients.ErrTooMany) {
				t.Errorf("%s: %v", c.from, err)
			}
		}
		d.dial("10.0.0.3")
		d.accepted(false)
		if s := d.table.Stats(); s.Refused != 5 || s.Open != 8 {
			t.Errorf("%+v", s)
		}
	})
}

// poor is a listener that fails as if there were no descriptors, n times.
type poor struct {
	net.Listener
	errs  []error
	tries int
}

func (p *poor) Accept() (net.Conn, error) {
	if p.tries++; p.tries <= len(p.errs) {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: p.errs[p.tries-1]}
	}
	return p.Listener.Accept()
}

// TestNoDescriptors: accepting goes on, does not spin, says so once, and takes
// back what an idle client has.
func TestNoDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d := open(t, clients.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		idle, a := d.client()
		served(t, a)
		inner, err := d.net.Host("10.0.0.1").Listen("10.0.0.1:81")
		if err != nil {
			t.Fatal(err)
		}
		p := &poor{Listener: inner}
		for range 12 {
			p.errs = append(p.errs, syscall.EMFILE, syscall.ENFILE)
		}
		p.errs = append(p.errs, syscall.ECONNABORTED)
		l := d.table.Listen(p)
		defer l.Close()
		if _, err := d.net.Host("10.0.0.2").Dial(t.Context(), "tcp", "10.0.0.1:81"); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		if took := time.Since(start); took < 10*time.Second {
			t.Errorf("24 failures in %v: it spins", took)
		}
		if !closed(idle) {
			t.Error("the idle client keeps its descriptor")
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "LimitNOFILE") {
			t.Errorf("the log has %d lines: %s", n, log.String())
		}
		if s := d.table.Stats(); s.Starved != 24 {
			t.Errorf("%+v", s)
		}
		_ = inner.Close()
		if _, err := l.Accept(); err == nil {
			t.Error("a closed listener accepts")
		}
	})
}

// TestServedAreNeverClosed: whatever comes, a connection on which a request has
// begun is left alone.
func TestServedAreNeverClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, clients.Config{Most: 8})
		var workers sync.WaitGroup
		for range 8 {
			workers.Go(func() {
				for conn := range d.in {
					for i := range 20 {
						if !conn.Begin() {
							break
						}
						time.Sleep(time.Millisecond)
						if _, err := io.WriteString(conn, "answer"); err != nil {
							t.Error("the client of a request was closed:", err)
						}
						conn.End()
						time.Sleep(time.Duration(i) * 100 * time.Millisecond)
					}
					_ = conn.Close()
				}
			})
		}
		for range 200 {
			go func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }(d.dial("10.0.0.2"))
			time.Sleep(700 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		close(d.in)
		workers.Wait()
		if s := d.table.Stats(); s.Closed == 0 || s.Open != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestNobodyCounts(t *testing.T) {
	var none *clients.Conn
	if !none.Begin() || none.From(netip.Addr{}) != nil {
		t.Error("a connection that nobody counts is refused")
	}
	none.End()
	none.Flooded("")
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	if clients.Of(near) != nil {
		t.Error("a pipe is counted")
	}
}

func TestBeginEndAllocateNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, clients.Config{})
		_, c := d.client()
		if n := testing.AllocsPerRun(100, func() { c.Begin(); c.End() }); n != 0 {
			t.Errorf("%v allocations a request", n)
		}
	})
}

// BenchmarkRoom is what a connection costs that comes when the table is full of
// idle ones.
func BenchmarkRoom(b *testing.B) {
	table := clients.New(clients.Config{PerAddress: 1 << 30})
	l := table.Listen(endless{})
	b.ReportAllocs()
	for b.Loop() {
		conn, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		client := clients.Of(conn)
		client.Begin()
		client.End()
	}
}

// endless has a connection for whoever accepts.
type endless struct{ net.Listener }

func (endless) Accept() (net.Conn, error) { return &nobody{}, nil }

type nobody struct{ net.Conn }

func (*nobody) Close() error         { return nil }
func (*nobody) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 1} }
