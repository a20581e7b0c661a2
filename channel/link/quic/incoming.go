package quic

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	quicgo "github.com/quic-go/quic-go"
)

// maxPending is how many connections may be between their first packet and
// Accept: each costs memory and a handshake for who has not said who it is.
// More are refused by one packet, before any of that, and dial again.
const maxPending = 1024

// incoming are the connections that nobody has accepted yet.
type incoming struct {
	pending atomic.Int64
	queue   chan *quicgo.Conn // has room for all of them
}

func newIncoming() *incoming { return &incoming{queue: make(chan *quicgo.Conn, maxPending)} }

// pending is one of them, as its context knows it.
type pending struct {
	over context.CancelFunc
	stop func() bool
}

type pendingKey struct{}

var errBusy = errors.New("too many connections that have not said hello")

// admit is quic-go's ConnContext.
func (in *incoming) admit(ctx context.Context, _ *quicgo.ClientInfo) (context.Context, error) {
	if in.pending.Add(1) > maxPending {
		in.pending.Add(-1)
		return nil, errBusy
	}
	p := &pending{over: sync.OnceFunc(func() { in.pending.Add(-1) })}
	p.stop = context.AfterFunc(ctx, p.over)
	return context.WithValue(ctx, pendingKey{}, p), nil
}

// fill moves what has done its handshake to the queue until l is closed, and
// then closes that: l itself holds 32 and throws away the handshake of every
// other one.
func (in *incoming) fill(l *quicgo.Listener) {
	defer close(in.queue)
	for {
		qc, err := l.Accept(context.Background())
		if err != nil {
			return
		}
		in.queue <- qc
	}
}

// refuse closes what is left in the queue, after l was closed.
func (in *incoming) refuse() {
	for qc := range in.queue {
		qc.CloseWithError(0, "")
	}
}

// next waits for a connection. It is net.ErrClosed when there will be none.
func (in *incoming) next() (*quicgo.Conn, error) {
	qc, ok := <-in.queue
	if !ok {
		return nil, net.ErrClosed
	}
	if p, ok := qc.Context().Value(pendingKey{}).(*pending); ok {
		p.stop()
		p.over()
	}
	return qc, nil
}
