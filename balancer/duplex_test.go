package balancer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel/memnet"
)

// halves is a stream of memnet: its directions end by themselves.
func halves(t *testing.T) (near, far net.Conn) {
	t.Helper()
	host := memnet.New(memnet.Config{}).Host("10.0.0.1")
	l, err := host.Listen(":80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if near, err = host.Dial(t.Context(), "tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// events are two sides that say to each other what nodes would.
func events() (a, b *eventSide) {
	a, b = &eventSide{out: newOutflow(maxWindow), stop: func() {}}, &eventSide{out: newOutflow(maxWindow), stop: func() {}}
	a.in, b.in = newInflow(maxWindow, b.out.add), newInflow(maxWindow, a.out.add)
	to := func(f *inflow) func([]byte) error {
		return func(p []byte) error {
			c, err := unpackChunk(bytes.Clone(p))
			if err != nil {
				return err
			}
			return f.push(c)
		}
	}
	a.send, b.send = to(b.in), to(a.in)
	return a, b
}

// TestHalfOpen: the end of one direction goes through, and the other direction
// goes on; once it is quiet for half a minute all ends.
func TestHalfOpen(t *testing.T) {
	for _, moved := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			client, in := halves(t)
			out, server := halves(t)
			var done []<-chan error
			run := func(a, b side) {
				done = append(done, start(func() error { return join(t.Context(), a, b) }))
			}
			if moved {
				a, b := events()
				run(&connSide{in, in}, a)
				run(b, &connSide{out, out})
			} else {
				run(&connSide{in, in}, &connSide{out, out})
			}
			_, _ = io.WriteString(client, "bye")
			_ = client.(interface{ CloseWrite() error }).CloseWrite()
			if got, err := readAll(server); got != "bye" || err != nil {
				t.Errorf("the server read %q, %v", got, err)
			}
			for range 3 {
				time.Sleep(halfOpen - time.Second)
				_, _ = io.WriteString(server, "more")
				expect(t, client, "more")
			}
			began := time.Now()
			_, _ = client.Read(make([]byte, 1))
			if took := time.Since(began); took != halfOpen {
				t.Errorf("it ended after %v of nothing", took)
			}
			for _, d := range done {
				if err := <-d; !errors.Is(err, errHalfOpen) {
					t.Errorf("it ended with %v", err)
				}
			}
		})
	}
}

// TestOrderlyEnd: a websocket of which both directions have ended is no error.
func TestOrderlyEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, in := halves(t)
		out, server := halves(t)
		a, b := events()
		one := start(func() error { return join(t.Context(), &connSide{in, in}, a) })
		two := start(func() error { return join(t.Context(), b, &connSide{out, out}) })
		go func() { _, _ = io.Copy(server, server); _ = server.Close() }()
		_, _ = io.WriteString(client, "hello")
		_ = client.(interface{ CloseWrite() error }).CloseWrite()
		if got, err := readAll(client); got != "hello" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if err := errors.Join(<-one, <-two); err != nil {
			t.Error(err)
		}
	})
}

// TestJoinIsCancelled: the cause of an end that comes from elsewhere is the
// error.
func TestJoinIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, in := halves(t)
		out, _ := halves(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		done := start(func() error { return join(ctx, &connSide{in, in}, &connSide{out, out}) })
		time.Sleep(time.Hour)
		cancel(errLost)
		if err := <-done; !errors.Is(err, errLost) {
			t.Error(err)
		}
	})
}
