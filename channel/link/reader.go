package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"kecho/channel"
)

const (
	// smallBuffer holds 150 frames of 100 bytes, and is all that an idle link
	// holds.
	smallBuffer = 16 << 10
	// largeBuffer is for who receives bodies: a few chunks of 32 KiB a read.
	largeBuffer = 128 << 10
	// quietReads without a frame that needs the large buffer give it back.
	quietReads = 64
)

// read delivers what comes from src until the link ends, and says why.
func (l *link) read(src io.Reader, r channel.Receiver) error {
	in := frameReader{src: hearing{l, src}, buf: make([]byte, smallBuffer)}
	for {
		kind, payload, err := in.next()
		if err != nil {
			return err
		}
		switch kind {
		case kindUrgent, kindNormal, kindBulk:
			l.peer.counts[kind-kindUrgent].in(len(payload))
			if err := r.Receive(l.peer.id, payload); err != nil {
				return fmt.Errorf("%w: %w", ErrProtocol, err)
			}
		case kindPing:
			if len(payload) != 8 {
				return fmt.Errorf("%w: a ping of %d bytes", ErrProtocol, len(payload))
			}
			l.control(kindPong, payload)
		case kindPong:
			l.pong(payload)
		case kindBye:
			return ErrLeft
		default:
			if kind < kindSkip {
				return fmt.Errorf("%w: a frame of kind %d", ErrProtocol, kind)
			}
		}
	}
}

// pong notes the round trip if payload is that of the last ping. Any other is
// ignored: it was late, or made up.
func (l *link) pong(payload []byte) {
	sent := l.pinged.Load()
	if len(payload) != 8 || sent == 0 || int64(binary.BigEndian.Uint64(payload)) != sent {
		return
	}
	rtt := max(1, l.peer.now()-sent)
	if old := l.rtt.Load(); old != 0 {
		rtt = old + (rtt-old)/8
	}
	l.rtt.Store(rtt)
}

// at is a time as now tells it; zero for the zero time.
func (pr *peer) at(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(1, int64(t.Sub(pr.epoch))+1)
}

// hearing is what a link reads from: it notes when something came.
type hearing struct {
	l   *link
	src io.Reader
}

func (h hearing) Read(b []byte) (int, error) {
	n, err := h.src.Read(b)
	if n > 0 {
		now := h.l.peer.now()
		h.l.heard.Store(now)
		h.l.peer.heard.Store(now)
	}
	return n, err
}

// frameReader cuts a stream into frames, in place.
type frameReader struct {
	src   io.Reader
	buf   []byte
	start int // buf[start:end] is read and not yet cut
	end   int
	quiet int // reads since the small buffer did not suffice
}

// next is the next frame; its payload is valid until next is called again.
func (r *frameReader) next() (kind byte, payload []byte, err error) {
	need := headerSize
	for {
		if r.end-r.start >= headerSize {
			kind, size, err := parseHeader(r.buf[r.start:r.end])
			if err != nil {
				return 0, nil, err
			}
			need = headerSize + size
			if need > smallBuffer {
				r.quiet = 0
			}
			if r.end-r.start >= need {
				payload = r.buf[r.start+headerSize : r.start+need : r.start+need]
				r.start += need
				return kind, payload, nil
			}
		}
		if err := r.fill(need); err != nil {
			return 0, nil, err
		}
	}
}

// fill reads once more, after it has made room for a frame of need bytes.
func (r *frameReader) fill(need int) error {
	r.room(need)
	n, err := r.src.Read(r.buf[r.end:])
	r.end += n
	switch {
	case n > 0:
		return nil
	case err == nil:
		return io.ErrNoProgress
	case errors.Is(err, io.EOF) && r.start == r.end:
		return fmt.Errorf("%w: closed by the peer", ErrLost)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: closed by the peer in the middle of a frame", ErrLost)
	}
	return lost(err)
}

// room moves what is not yet cut to the front of a buffer that holds need
// bytes: the small one unless frames have lately been larger.
func (r *frameReader) room(need int) {
	r.quiet++
	size := len(r.buf)
	switch {
	case need > smallBuffer:
		size = max(size, largeBuffer, need)
	case r.quiet > quietReads:
		size = smallBuffer
	}
	old := r.buf[r.start:r.end]
	if size != len(r.buf) && len(old) < size {
		r.buf = make([]byte, size)
	} else if r.start == 0 {
		return
	}
	r.start, r.end = 0, copy(r.buf, old)
}

// now is the time since the pool was made, in nanoseconds and never zero.
func (pr *peer) now() int64 { return int64(time.Since(pr.epoch)) + 1 }
