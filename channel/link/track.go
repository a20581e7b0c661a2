package link

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

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
	Lanes() [3]Lane
	// ConnectionState has the peer's certificates, verified by the maker: it
	// does the TLS, and Config.TLS only says that there must be one.
	ConnectionState() tls.ConnectionState
	// Linger waits until the peer has closed, or for a moment: Close takes back
	// what the peer has not read.
	Linger()
}

// Lane is a stream of a Laned.
type Lane interface {
	io.ReadWriteCloser
	// TryWrite writes what is taken without waiting, which may be nothing.
	TryWrite(b []byte) (n int, err error)
}

// trier writes what is taken at once: a direct, or a Lane.
type trier interface {
	TryWrite(b []byte) (n int, err error)
}

// turnWriter writes all of a turn, and waits until it is taken: a direct, or a whole.
type turnWriter interface {
	WriteAll(bs net.Buffers) error
}

// whole writes turns to whatever a link is on.
type whole struct {
	to   io.Writer
	left net.Buffers // WriteTo uses it up
}

func (w *whole) WriteAll(bs net.Buffers) error {
	w.left = bs
	_, err := w.left.WriteTo(w.to)
	return err
}

// track is a stream on which a link writes and reads, and what writes on it: on
// one byte stream one track carries all priorities, on a Laned one each.
type track struct {
	conn       io.ReadWriter
	src        io.Reader     // conn, or what reads it better
	turns      turnWriter    // to conn
	half       io.Closer     // ends the writing; nil: cannot
	direct     trier         // nil: only the writer goroutine writes
	first, end lane          // the priorities first <= ln < end
	wake       chan struct{} // capacity 1; passes the baton: busy is now the writer's
	writing    atomic.Int64  // since when one write has been going on; see link.heard

	// Guarded by link.mu.
	busy    bool  // somebody writes; what comes meanwhile waits
	lingers bool  // the writer, which is busy, waits for more
	flood   bool  // frames of bulk come one upon the other
	turned  int64 // when the last turn was taken; peer.now
	rest    *block

	full   float64 // of a bucket that each frame fills a little and that leaks; see streamsLocked
	leaked int64   // when it last did; peer.now without peer.wrote
}

// Frames that come one after the other are a stream: they wait for the writer,
// which takes many with one system call. A bucket into which each frame goes
// leaks one in streamGap; who finds streamAfter in it is of a stream. It holds
// streamMost, so that a stream goes on after a pause that the machine has made.
// It does not leak while the pool writes directly: who has as many links as
// writes fit into streamGap comes no faster, and would never be of a stream.
const (
	streamGap   = 100 * time.Microsecond
	streamAfter = 8
	streamMost  = 64
)

// streamsLocked reports whether a frame that could be written now is one of a
// stream.
func (tr *track) streamsLocked(pr *peer, now int64) bool {
	idle := now - pr.wrote.Load()
	leak := max(0, idle-tr.leaked) // writes beside each other take more time than passes
	tr.full = max(0, tr.full-float64(leak)/float64(streamGap))
	tr.leaked = idle
	tr.full = min(tr.full+1, streamMost)
	return tr.full >= streamAfter
}

// passIf passes the baton to tr's writer: without the lock, and only by who has
// found under it that it must.
func (tr *track) passIf(must bool) {
	if must {
		tr.wake <- struct{}{}
	}
}

// tracksOf is the one track of conn, or its three.
func tracksOf(conn, socket net.Conn) (all []*track) {
	laned, ok := conn.(Laned)
	if !ok {
		tr := &track{conn: conn, src: conn, turns: &whole{to: conn}, first: urgent, end: lanes, wake: make(chan struct{}, 1)}
		if d := newDirect(conn); d != nil {
			tr.direct, tr.src, tr.turns = d, d, d
		}
		if half, ok := socket.(interface{ CloseWrite() error }); ok {
			tr.half = closer(half.CloseWrite)
		}
		return []*track{tr}
	}
	for i, stream := range laned.Lanes() {
		all = append(all, &track{conn: stream, src: stream, turns: &whole{to: stream}, half: stream, direct: stream, first: lane(i), end: lane(i) + 1, wake: make(chan struct{}, 1)})
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
		return l.read(l.tracks[0].src, r)
	}
	shared := &turns{Receiver: r, turn: make(chan struct{}, 1)}
	var wg sync.WaitGroup
	for _, tr := range l.tracks {
		wg.Go(func() {
			if err := l.read(tr.src, shared); !errors.Is(err, ErrLeft) {
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

func (t *turns) Receive(peer channel.NodeID, heard time.Time, frame []byte, more bool) error {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	return t.Receiver.Receive(peer, heard, frame, more)
}
