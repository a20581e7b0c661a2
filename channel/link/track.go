package link

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"kecho/channel"
)

// Laned is a connection with a stream of its own for each priority, so that
// none waits for another's bytes: what package quic makes. As a net.Conn it is
// its first stream, on which the hellos are exchanged. A deadline that passes
// may end the whole connection.
type Laned interface {
	net.Conn
	// Lanes are the streams for urgent, normal and bulk, always the same ones.
	// Close of one says that nothing more will be written on it. Each is read
	// by one goroutine and written by one.
	Lanes() [3]io.ReadWriteCloser
	// ConnectionState has the peer's certificates, verified by the maker: it
	// does the TLS, and Config.TLS only says that there must be one.
	ConnectionState() tls.ConnectionState
	// Linger waits until the peer has closed, or for a moment: Close takes back
	// what the peer has not read.
	Linger()
}

// track is a stream on which a link writes and reads, and what writes on it: on
// one byte stream one track carries all priorities, on a Laned one each.
type track struct {
	conn       io.ReadWriter
	half       io.Closer     // ends the writing; nil: cannot
	direct     *direct       // nil: only the writer goroutine writes
	first, end lane          // the priorities first <= ln < end
	wake       chan struct{} // capacity 1; passes the baton: busy is now the writer's
	writing    atomic.Int64  // since when one write has been going on; see link.heard

	// Guarded by link.mu.
	busy bool // somebody writes; what comes meanwhile waits
	rest *block
}

// tracksOf is the one track of conn, or its three.
func tracksOf(conn, socket net.Conn) (all []*track) {
	laned, ok := conn.(Laned)
	if !ok {
		tr := &track{conn: conn, direct: newDirect(conn), first: urgent, end: lanes, wake: make(chan struct{}, 1)}
		if half, ok := socket.(interface{ CloseWrite() error }); ok {
			tr.half = closer(half.CloseWrite)
		}
		return []*track{tr}
	}
	for i, stream := range laned.Lanes() {
		all = append(all, &track{conn: stream, half: stream, first: lane(i), end: lane(i) + 1, wake: make(chan struct{}, 1)})
	}
	return all
}

type closer func() error

func (c closer) Close() error { return c() }

// closeWrite tells the peer that nothing follows, where a connection can. The
// bye says it too.
func (tr *track) closeWrite() {
	if tr.half != nil {
		tr.half.Close()
	}
}

// track is where frames of a priority go.
func (l *link) track(ln lane) *track {
	if len(l.tracks) == 1 {
		return l.tracks[0]
	}
	return l.tracks[ln]
}

// readAll delivers what comes on every track until the link ends, and says why.
func (l *link) readAll(r channel.Receiver) error {
	if len(l.tracks) == 1 {
		return l.read(l.tracks[0].conn, r)
	}
	shared := &turns{Receiver: r, turn: make(chan struct{}, 1)}
	var wg sync.WaitGroup
	for _, tr := range l.tracks {
		wg.Go(func() {
			if err := l.read(tr.conn, shared); !errors.Is(err, ErrLeft) {
				l.close(err)
			}
		})
	}
	wg.Wait()
	return ErrLeft // on every track, or close has had its cause
}

// turns gives a receiver the frames of several readers one after the other.
type turns struct {
	channel.Receiver
	turn chan struct{} // capacity 1
}

func (t *turns) Receive(peer channel.NodeID, frame []byte) error {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	return t.Receiver.Receive(peer, frame)
}
