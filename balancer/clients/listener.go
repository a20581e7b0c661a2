package clients

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// silence is how long a connection must have been idle to make room. Who is
// between two requests, or about to send the first, is left alone.
const silence = time.Second

// How long accepting pauses when there is no descriptor.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

// Listen counts the connections of l, and has it accept within the limits. It
// must be below whatever else wraps the listener or reads from its connections.
func (t *Table) Listen(l net.Listener) net.Listener {
	return &listener{Listener: l, table: t, closed: make(chan struct{})}
}

type listener struct {
	net.Listener
	table  *Table
	once   sync.Once
	closed chan struct{}
	pause  time.Duration // owned by Accept, which one goroutine calls
}

// Accept implements net.Listener. It returns when there is room for what came.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		switch {
		case err == nil:
		case starved(err):
			l.starve(err)
			continue
		case errors.Is(err, syscall.ECONNABORTED): // it was gone before it was taken
			continue
		default:
			return nil, err
		}
		l.pause = 0
		if !l.awaitRoom() {
			_ = conn.Close()
			return nil, net.ErrClosed
		}
		if c := l.table.add(conn); c != nil {
			return c, nil
		}
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// awaitRoom returns when one connection more may be open; false: the listener
// was closed.
func (l *listener) awaitRoom() bool {
	t := l.table
	if t.hasRoom() || t.makeRoom() {
		return true
	}
	t.count.full.Add(1)
	if t.said.full.due(t.now()) {
		t.cfg.Logger.Warn("all client connections are busy, nothing is accepted until one ends", "limit", t.cfg.Most)
	}
	t.full.Store(true)
	defer t.full.Store(false)
	for !t.hasRoom() && !t.makeRoom() {
		select {
		case <-t.room:
		case <-time.After(silence / 10): // one may have been idle for long enough
		case <-l.closed:
			return false
		}
	}
	return true
}

// starve waits for a descriptor.
func (l *listener) starve(err error) {
	t := l.table
	t.count.starved.Add(1)
	if t.said.starved.due(t.now()) {
		t.cfg.Logger.Error("a client's connection cannot be accepted: raise the limit of open files (LimitNOFILE of systemd), or lower --connections", "err", err)
	}
	t.makeRoom()
	l.pause = min(max(2*l.pause, firstPause), lastPause)
	select {
	case <-time.After(l.pause):
	case <-l.closed:
	}
}

// starved says whether err is the system's want of descriptors or memory, which
// passes.
func starved(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) ||
		errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

func (t *Table) hasRoom() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.conns) < t.cfg.Most
}

// batch is how many connections make room at a time: looking for them costs the
// same for one as for some.
func (t *Table) batch() int { return min(1+t.cfg.Most/256, 32) }

// makeRoom closes some idle connections; false: there is none to close.
func (t *Table) makeRoom() bool {
	made := false
	for _, i := range t.oldest() {
		if i.conn.state.CompareAndSwap(i.state, taken) {
			_ = i.conn.Close()
			t.count.made.Add(1)
			made = true
		}
	}
	return made
}

// idle is a connection as it was found.
type idle struct {
	conn  *Conn
	state int64
}

// before says whether a makes room before b.
func (a idle) before(b idle) bool {
	if a.served() != b.served() {
		return b.served()
	}
	return a.state < b.state
}

func (a idle) served() bool { return a.state&1 != 0 }

// oldest are the connections that make room next, a batch at most.
func (t *Table) oldest() []idle {
	most := t.batch()
	found := make([]idle, 0, most+1)
	young := t.now() - int64(silence)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.conns {
		i := idle{c, c.state.Load()}
		if i.state <= busy || i.state>>1 > young {
			continue
		}
		at := len(found)
		for at > 0 && i.before(found[at-1]) {
			at--
		}
		if at == most {
			continue
		}
		found = append(found, idle{})
		copy(found[at+1:], found[at:])
		found[at] = i
		found = found[:min(len(found), most)]
	}
	return found
}
