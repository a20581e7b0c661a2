package balancer

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// LaneConfig is what a Lane is made of.
type LaneConfig struct {
	// Balancer serves the requests. Required.
	Balancer *Balancer
	// Listener is where clients come in. Required.
	Listener net.Listener
	// Certificate is what TLS is spoken with. Nil: plaintext.
	Certificate *Certificate
	// Idle is how long a connection may wait for its next request. Zero: 60 s.
	Idle time.Duration
}

// Lane serves plain HTTP/1.1 requests without net/http, which costs more than
// all the rest. Each connection begins in it; at the first request that asks
// for anything else, an upgrade, HTTP/2, HTTP/1.0 or Expect, or that is at
// fault, the connection goes to net/http's server as it is, guarded as by Guard,
// and stays there. A Lane is the listener of that server, in Guard's place.
//
// One reader follows heads in both lanes (framing.go), and what both send on
// they have from the same tables.
type Lane struct {
	b     *Balancer
	l     net.Listener
	tls   *tls.Config // nil: plaintext
	idle  time.Duration
	given chan net.Conn // to net/http's server

	stopped func() error  // has no more accepted; once
	closing chan struct{} // closed by it
	settle  func()        // has no more given; once
	last    chan struct{} // closed by it
	over    chan struct{} // closed when Run returns
	sweeper sweeper

	mu    sync.Mutex
	conns map[*laneConn]struct{} // guarded by mu
	ended bool                   // no more are taken; guarded by mu
	wg    sync.WaitGroup
}

// NewLane makes a lane; it starts nothing.
func NewLane(cfg LaneConfig) *Lane {
	setDefault(&cfg.Idle, 60*time.Second)
	l := &Lane{
		b: cfg.Balancer, l: cfg.Listener, idle: cfg.Idle,
		given: make(chan net.Conn), closing: make(chan struct{}), last: make(chan struct{}), over: make(chan struct{}),
		conns: make(map[*laneConn]struct{}),
	}
	l.stopped = sync.OnceValue(l.stop)
	l.settle = sync.OnceFunc(func() { close(l.last) })
	if cfg.Certificate != nil {
		l.tls = cfg.Certificate.config()
	}
	return l
}

// Run accepts connections until Drain or Close is called or ctx is done, and
// returns when those that it serves have ended: after Close, when they have
// answered what they had begun; when ctx is done, at once. Those that went to
// net/http's server are that server's. It is called once.
func (l *Lane) Run(ctx context.Context) error {
	defer close(l.over)
	var sweep sync.WaitGroup
	over, end := context.WithCancel(context.Background())
	sweep.Go(func() { l.sweeper.run(over) })
	defer sweep.Wait()
	defer end()
	defer context.AfterFunc(ctx, l.cut)()
	err := l.accept()
	l.wg.Wait()
	return err
}

// acceptPause is how long accepting pauses after an error that may pass, such
// as too many open files; it doubles with each, up to a second.
const acceptPause = 5 * time.Millisecond

func (l *Lane) accept() error {
	pause := acceptPause
	for {
		conn, err := l.l.Accept()
		select {
		case <-l.closing:
			if err == nil {
				_ = conn.Close() // it came too late
			}
			return nil
		default:
		}
		var passing interface{ Temporary() bool }
		switch {
		case err == nil:
			l.begin(conn)
			pause = acceptPause
		case errors.As(err, &passing) && passing.Temporary():
			select {
			case <-time.After(pause):
				pause = min(2*pause, time.Second)
			case <-l.closing:
			}
		default:
			_ = l.Close()
			return err
		}
	}
}

// begin serves a connection on a goroutine of its own.
func (l *Lane) begin(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		_ = conn.Close()
		return
	}
	c := newLaneConn(l, conn)
	l.conns[c] = struct{}{}
	l.wg.Go(func() {
		c.serve()
		l.mu.Lock()
		delete(l.conns, c)
		l.mu.Unlock()
	})
}

// Accept implements net.Listener: a connection for net/http's server.
func (l *Lane) Accept() (net.Conn, error) {
	select {
	case conn := <-l.given:
		return conn, nil
	case <-l.last:
		return nil, net.ErrClosed
	}
}

// give hands a connection to net/http's server; false: it is not served any
// more. The lane waits for it until it has arrived there, or is closed.
func (l *Lane) give(g *guarded) bool {
	g.lane = l
	l.wg.Add(1)
	select {
	case l.given <- g:
		return true
	case <-l.last:
		return false
	}
}

// Addr implements net.Listener.
func (l *Lane) Addr() net.Addr { return l.l.Addr() }

// Drain has no more connections be accepted; those that are idle end now, the
// others after their answer. What is net/http's of the requests that have begun
// is still given to its server: Drain returns when that has begun them all, at
// the latest when a head has no more time to come, or ctx is done. The server is
// shut down after it: a request that it reads later gets no answer.
func (l *Lane) Drain(ctx context.Context) {
	_ = l.stopped() // Close says it
	ctx, cancel := context.WithTimeout(ctx, headPatience)
	defer cancel()
	select {
	case <-l.over:
	case <-ctx.Done():
	}
}

// Close implements net.Listener: as Drain, but that nothing more is given to
// net/http's server. It does not wait for what has begun; Run does.
func (l *Lane) Close() error {
	err := l.stopped()
	l.settle()
	return err
}

func (l *Lane) stop() error {
	close(l.closing)
	err := l.l.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for c := range l.conns {
		c.endIdle()
	}
	return err
}

// cut ends all connections.
func (l *Lane) cut() {
	_ = l.Close() // an error says that it was closed elsewhere
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		_ = c.pace.Close() // below TLS, whose Close would wait for a write
	}
}

// draining says whether connections are to end after their answer.
func (l *Lane) draining() bool {
	select {
	case <-l.closing:
		return true
	default:
		return false
	}
}
