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
	// fullReads of all that the small buffer holds, one after the other, are a
	// stream: more waits than it takes.
	fullReads = 4
)

// read delivers what comes from src until the link ends, and says why.
func (l *link) read(src io.Reader, r channel.Receiver) error {
	heard := &hearing{l: l, src: src}
	defer heard.count()
	in := frameReader{src: heard, buf: make([]byte, smallBuffer)}
	for {
		kind, payload, err := in.next()
		if err != nil {
			return err
		}
		switch kind {
		case kindUrgent, kindNormal, kindBulk:
			heard.events[kind-kindUrgent].add(payload)
			more := in.more()
			if !more {
				heard.count()
			}
			if err := r.Receive(l.peer.id, heard.at, payload, more); err != nil {
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

// hearing is what a link reads from: it notes when something came, and counts
// what did, once for all that one read has brought.
type hearing struct {
	l      *link
	src    io.Reader
	at     time.Time
	events [lanes]flow // that the peer's counts lack
}

func (h *hearing) Read(b []byte) (int, error) {
	h.count()
	n, err := h.src.Read(b)
	if n > 0 {
		h.at = time.Now()
		now := h.l.peer.at(h.at)
		h.l.heard.Store(now)
		h.l.peer.heard.Store(now)
	}
	return n, err
}

func (h *hearing) count() {
	for ln := range h.events {
		if n := &h.events[ln]; n.frames > 0 {
			h.l.peer.counts[ln].in.add(*n)
			*n = flow{}
		}
	}
}

// frameReader cuts a stream into frames, in place.
type frameReader struct {
	src   io.Reader
	buf   []byte
	start int // buf[start:end] is read and not yet cut
	end   int
	quiet int // reads since the small buffer did not suffice
	full  int // reads that filled the small buffer, one after the other
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

// more reports whether the next frame is an event, and whole.
func (r *frameReader) more() bool {
	rest := r.buf[r.start:r.end]
	if len(rest) < headerSize || rest[4]-kindUrgent >= byte(lanes) {
		return false
	}
	return uint64(len(rest)) >= headerSize+uint64(binary.BigEndian.Uint32(rest)) // and so not too long
}

// fill reads once more, after it has made room for a frame of need bytes.
func (r *frameReader) fill(need int) error {
	r.room(need)
	n, err := r.src.Read(r.buf[r.end:])
	switch r.end += n; {
	case n > smallBuffer:
		r.quiet = 0
	case r.end == len(r.buf):
		r.full++
	default:
		r.full = 0
	}
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
// bytes: the small one unless frames have lately been larger, or so many.
func (r *frameReader) room(need int) {
	r.quiet++
	size := len(r.buf)
	switch {
	case need > smallBuffer || r.full >= fullReads:
		size = max(size, largeBuffer, need)
		r.full, r.quiet = 0, 0
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
