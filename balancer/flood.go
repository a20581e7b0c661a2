package balancer

import (
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// What an HTTP/2 client may send that costs more here than it costs there, in
// floodWindow. net/http has no such limits: it bounds the streams that are
// open, the head with its CONTINUATION frames, and what it has to answer.
const (
	floodWindow = 10 * time.Second
	// maxResets is against streams that are opened and reset at once: each has
	// the web server begin, and none counts as open. The client resets them
	// (CVE-2023-44487), or breaks a rule so that this side must (CVE-2025-8671).
	maxResets = 200
	// maxEmpty is how many frames may come that carry nothing: PING, SETTINGS,
	// PRIORITY, WINDOW_UPDATE, DATA and CONTINUATION without a byte, and
	// unknown ones. Clients of large answers send many WINDOW_UPDATEs, and gRPC
	// a PING for what it got: one more is allowed for each emptyShare bytes that
	// the client was sent.
	maxEmpty   = 2000
	emptyShare = 16
)

// HTTP2 is what http.Server.HTTP2 is to be with Guard: that many streams of a
// connection may be open.
func HTTP2(streams int) *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          streams,
		MaxReceiveBufferPerStream:     64 << 10,
		MaxReceiveBufferPerConnection: 1 << 20,
		MaxReadFrameSize:              16 << 10,
	}
}

var (
	floodOfResets = "more than 200 streams were reset within 10 s"
	floodOfEmpty  = "too many frames came within 10 s that carry nothing"
)

// flood follows the frames of an HTTP/2 connection both ways, and ends it when
// its client sends too many that are of no use.
type flood struct {
	// Owned by the connection's reader.
	in     frames
	begun  time.Time // of this window
	resets int
	empty  int
	base   uint64 // sent before this window
	last   uint32 // the highest stream that was begun
	known  uint64 // of provoked

	sent     atomic.Uint64 // bytes of heads and bodies
	provoked atomic.Uint64 // streams reset here as the client broke a rule

	farewell atomic.Pointer[[]byte] // a GOAWAY that waits for the end of a frame

	mu    sync.Mutex // held while something is written
	out   frames     // guarded by mu
	ours  resets     // guarded by mu
	ended bool       // nothing is written any more; guarded by mu
}

// resets are the streams that this side has reset lately, for whatever reason.
// What a client had sent of a body before it heard of that is answered by a
// reset for each frame, for which it is not to blame.
type resets struct {
	streams [64]uint32
	n       int // how many there were
}

// provoked says whether h, a reset, ends a stream that was not ended so before,
// because of what the client sent on it.
func (r *resets) provoked(h frame) bool {
	if slices.Contains(r.streams[:], h.stream) {
		return false
	}
	r.streams[r.n%len(r.streams)] = h.stream
	r.n++
	return h.code == codeProtocol || h.code == codeFlowControl || h.code == codeStreamClosed
}

var errFlood = errors.New("the client was told to go away")

// flooded ends the connection of a client that sent too much, and says what its
// reader is told.
func (g *guarded) flooded(f *flood, why string) error {
	g.client.Flooded(why)
	f.part(why, g.Conn.Write)
	// What was sent meanwhile is read for a moment, or the farewell is lost.
	g.verdict.Store(&verdict{head: math.MaxUint64, fault: &fault{reason: why}})
	return io.EOF // else net/http says something of its own
}

// Write implements net.Conn.
func (g *guarded) Write(p []byte) (int, error) {
	if f := g.flood.Load(); f != nil {
		return f.write(p, g.Conn.Write)
	}
	return g.Conn.Write(p)
}

// received follows what the client sent; it says what is too much of it.
func (f *flood) received(p []byte) (why string) {
	looked := false
	if n := f.provoked.Load(); n > f.known {
		f.look(time.Now())
		looked = true
		f.resets += int(n - f.known)
		f.known = n
		if why = f.excess(); why != "" {
			return why
		}
	}
	for len(p) > 0 {
		rest, h, whole := f.in.next(p)
		p = rest
		if !whole {
			break
		}
		switch {
		case h.kind == frameHeaders:
			f.last = max(f.last, h.stream)
			continue
		case h.kind != frameData && h.kind != frameContinuation, h.length == 0 && h.flags&endStream == 0:
		default:
			continue
		}
		if !looked {
			f.look(time.Now())
			looked = true
		}
		if why = f.count(h.kind); why != "" {
			return why
		}
	}
	return ""
}

// look begins another window when this one is over.
func (f *flood) look(now time.Time) {
	if now.Sub(f.begun) >= floodWindow {
		f.begun, f.resets, f.empty, f.base = now, 0, 0, f.sent.Load()
	}
}

func (f *flood) count(kind byte) (why string) {
	if kind == frameReset {
		f.resets++
	} else {
		f.empty++
	}
	return f.excess()
}

// excess holds the limits.
func (f *flood) excess() (why string) {
	switch {
	case f.resets > maxResets:
		return floodOfResets
	case f.empty > maxEmpty && uint64(f.empty-maxEmpty) > (f.sent.Load()-f.base)/emptyShare:
		return floodOfEmpty
	}
	return ""
}

// write sends p, whatever it is, unless the client was told to go away.
func (f *flood) write(p []byte, send func([]byte) (int, error)) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return 0, errFlood
	}
	n, err := send(p)
	for rest := p[:n]; len(rest) > 0; {
		var h frame
		var whole bool
		rest, h, whole = f.out.next(rest)
		switch {
		case whole && (h.kind == frameData || h.kind == frameHeaders):
			f.sent.Add(uint64(frameHead + h.length))
		case whole && h.kind == frameReset && f.ours.provoked(h):
			f.provoked.Add(1)
		}
	}
	f.partLocked(send)
	return n, err
}

// partPause is how often part looks whether what is being written has ended.
const partPause = 10 * time.Millisecond

// part tells the client to go away, when what is being written has ended: within
// a second, or not at all.
func (f *flood) part(why string, send func([]byte) (int, error)) {
	farewell := goAway(f.last, why)
	f.farewell.Store(&farewell)
	for range lingerFor / partPause {
		if f.mu.TryLock() {
			f.partLocked(send)
			ended := f.ended
			f.mu.Unlock()
			if ended {
				return
			}
		}
		time.Sleep(partPause)
	}
}

func (f *flood) partLocked(send func([]byte) (int, error)) {
	if farewell := f.farewell.Load(); farewell != nil && !f.ended && f.out.between() {
		_, _ = send(*farewell) // the connection is closed in any case
		f.ended = true
	}
}
