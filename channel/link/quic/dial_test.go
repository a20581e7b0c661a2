package quic

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	quicgo "github.com/quic-go/quic-go"
)

// A dial that is called off does not leave the peer with a handshake that nobody
// goes on with: it is done and closed, and Accept has nothing that lasts.
func TestDialCalledOff(t *testing.T) {
	tn := &town{t: t}
	a, b := tn.transport(t), tn.transport(t)
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Microsecond, cancel)
		if c, err := a.Dial(ctx, b.Addr().String()); err == nil {
			c.Close()
		} else if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		cancel()
	}
	dials := func() int {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.open
	}
	// What was closed while it waited for Accept is not counted any more.
	for wait := 0; b.incoming.pending.Load() > 0 || dials() > 0; wait++ {
		if wait == 1000 {
			t.Fatalf("%d connections are pending that nobody goes on with, and %d dials are not over", b.incoming.pending.Load(), dials())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// Beyond the limit a connection is refused before its handshake, and the places
// that come free are given again.
func TestTooManyPending(t *testing.T) {
	in := newIncoming()
	ctx, cancel := context.WithCancel(t.Context())
	for range maxPending {
		if _, err := in.admit(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := in.admit(ctx, nil); err == nil {
		t.Error("one more than the limit was let in")
	}
	cancel()
	for wait := 0; in.pending.Load() > 0; wait++ {
		if wait == 1000 {
			t.Fatalf("%d places are taken by connections that are over", in.pending.Load())
		}
		time.Sleep(2 * time.Millisecond)
	}
	if _, err := in.admit(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// Who is refused by the limit hears of it at once.
func TestRefusedWhileBusy(t *testing.T) {
	tn := &town{t: t}
	a, b := tn.transport(t), tn.transport(t)
	b.incoming.pending.Store(maxPending)
	_, err := a.Dial(t.Context(), b.Addr().String())
	var refused *quicgo.TransportError
	if !errors.As(err, &refused) || refused.ErrorCode != quicgo.ConnectionRefused {
		t.Errorf("dialed a node that is busy: %v, want that it refuses", err)
	}
	b.incoming.pending.Store(0)
	near, err := a.Dial(t.Context(), b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near.Close()
}

// Close ends the dials that are under way, and the socket with the last.
func TestCloseEndsDials(t *testing.T) {
	a := (&town{t: t}).transport(t)
	quiet, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	ended := make(chan error, 1)
	go func() {
		_, err := a.Dial(t.Context(), quiet.LocalAddr().String())
		ended <- err
	}()
	if _, _, err := quiet.ReadFrom(make([]byte, 2000)); err != nil { // it has begun
		t.Fatal(err)
	}
	a.Close()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("dialed who does not answer")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("a dial goes on after Close")
	}
}

// TryWrite takes a packet's worth, leaves more than that to who can wait, and
// what it took arrives.
func TestTryWrite(t *testing.T) {
	tn := &town{t: t}
	a, b := tn.transport(t), tn.transport(t)
	near, err := a.Dial(t.Context(), b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := b.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	out, in := near.(*conn).Lanes()[1], far.(*conn).Lanes()[1]
	for _, size := range []int{1, small} {
		if n, err := out.TryWrite(make([]byte, size)); n != size || err != nil {
			t.Errorf("%d bytes: took %d, %v", size, n, err)
		}
		if _, err := io.ReadFull(in, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := out.TryWrite(make([]byte, small+1)); n != 0 || err != nil {
		t.Errorf("more than a packet: took %d, %v, want nothing", n, err)
	}
	// Nobody reads: it refuses at the window, and waits for nobody.
	taken := 0
	for n := 1; n > 0; taken += n {
		if n, err = out.TryWrite(make([]byte, small)); err != nil || taken > 2*window {
			t.Fatalf("took %d bytes that nobody reads: %v", taken, err)
		}
	}
	near.Close()
	if _, err := out.TryWrite([]byte("x")); err == nil {
		t.Error("wrote on a closed connection")
	}
}
