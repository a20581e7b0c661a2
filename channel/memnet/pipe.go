package memnet

import (
	"bytes"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// window is how many bytes a direction of a stream holds, sent and not read.
const window = 256 << 10

// pipe is one direction of a stream. What is written flies until its delay is
// over and the path is open, then it has arrived and can be read.
type pipe struct {
	net      *Net
	from, to end

	mu       sync.Mutex
	changed  sync.Cond // on mu; anything below changed
	path     path
	flying   []segment
	inFlight int // bytes in flying
	arrived  bytes.Buffer
	landing  *time.Timer // of the first segment, while the path is open

	finished   bool // the writer says no more
	ended      bool // that has arrived
	noWriter   bool // the writing end is closed
	noReader   bool // the reading end is closed
	writeCrash bool
	reading    deadline
	writing    deadline
}

// segment is what one write sent. Without data it is the end.
type segment struct {
	at   time.Time
	data []byte
}

func newPipe(n *Net, from, to end) *pipe {
	p := &pipe{net: n, from: from, to: to}
	p.changed.L = &p.mu
	return p
}

func (p *pipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.noReader:
			return 0, net.ErrClosed
		case p.reading.expired:
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		case p.arrived.Len() > 0:
			n, _ := p.arrived.Read(b)
			p.changed.Broadcast()
			return n, nil
		case p.ended:
			return 0, io.EOF
		}
		p.changed.Wait()
	}
}

func (p *pipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	written := 0
	for {
		switch {
		case p.noWriter:
			return written, net.ErrClosed
		case p.writing.expired:
			return written, os.ErrDeadlineExceeded
		case p.finished:
			return written, os.NewSyscallError("write", syscall.EPIPE)
		case p.path == reset, p.path == open && p.noReader:
			return written, os.NewSyscallError("write", syscall.ECONNRESET)
		case written == len(b):
			return written, nil
		}
		room := window - p.inFlight - p.arrived.Len()
		if room <= 0 {
			p.changed.Wait()
			continue
		}
		part := b[written:min(len(b), written+room)]
		p.sendLocked(part)
		written += len(part)
	}
}

// sendLocked lets data fly, or the end if there is none. It copies data.
func (p *pipe) sendLocked(data []byte) {
	d := p.from.host.delayTo(p.to.host)
	if d <= 0 && p.path == open && len(p.flying) == 0 {
		p.arriveLocked(data)
		p.changed.Broadcast()
		return
	}
	p.flying = append(p.flying, segment{time.Now().Add(d), bytes.Clone(data)})
	p.inFlight += len(data)
	p.landLocked()
}

func (p *pipe) arriveLocked(data []byte) {
	switch {
	case len(data) == 0:
		p.ended = true
	case !p.noReader:
		p.arrived.Write(data)
	}
}

// landLocked takes in what has flown long enough and sets the timer for the
// next.
func (p *pipe) landLocked() {
	if p.path != open {
		return
	}
	now := time.Now()
	for len(p.flying) > 0 && !p.flying[0].at.After(now) {
		data := p.flying[0].data
		p.flying[0] = segment{}
		p.flying = p.flying[1:]
		p.inFlight -= len(data)
		p.arriveLocked(data)
		p.changed.Broadcast()
	}
	if len(p.flying) == 0 {
		p.flying = nil
		return
	}
	wait := p.flying[0].at.Sub(now)
	if p.landing == nil {
		p.landing = time.AfterFunc(wait, p.land)
	} else {
		p.landing.Reset(wait)
	}
}

func (p *pipe) land() {
	p.mu.Lock()
	p.landLocked()
	p.unlockAndForget()
}

// setPath is called with the net's mutex held.
func (p *pipe) setPath(to path) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.path == to {
		return
	}
	p.landLocked() // what has arrived by now was not touched by the change
	p.path = to
	if p.landing != nil {
		p.landing.Stop()
	}
	p.landLocked()
	p.changed.Broadcast()
}

// finish says that nothing more will be written.
func (p *pipe) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finishLocked()
}

func (p *pipe) finishLocked() {
	if !p.finished {
		p.finished = true
		p.sendLocked(nil)
		p.changed.Broadcast()
	}
}

func (p *pipe) closeWriter() {
	p.mu.Lock()
	p.noWriter = true
	if !p.writeCrash {
		p.finishLocked()
	}
	p.writing.stop()
	p.changed.Broadcast()
	p.unlockAndForget()
}

func (p *pipe) closeReader() {
	p.mu.Lock()
	p.noReader = true
	p.arrived = bytes.Buffer{}
	p.reading.stop()
	p.changed.Broadcast()
	p.unlockAndForget()
}

// crash ends what the dying life has of this direction, and says nothing to
// the other end. It is called with the net's mutex held.
func (p *pipe) crash(dying *life) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.from.life == dying {
		p.noWriter, p.writeCrash = true, true
		p.flying, p.inFlight = nil, 0
	}
	if p.to.life == dying {
		p.noReader = true
		p.arrived = bytes.Buffer{}
	}
	p.changed.Broadcast()
}

// unlockAndForget takes the pipe out of the net when nothing can happen to it
// any more. The pipe's mutex must not be held while the net's is taken.
func (p *pipe) unlockAndForget() {
	over := p.noWriter && (p.noReader || p.ended)
	if p.noReader && p.noWriter && p.landing != nil {
		p.landing.Stop()
	}
	p.mu.Unlock()
	if over {
		p.net.forget(p)
	}
}

// setDeadline sets d, which is one of p's.
func (p *pipe) setDeadline(d *deadline, t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d.resetLocked(t, &p.changed)
	if p.noReader && p.noWriter {
		d.stop()
	}
}
