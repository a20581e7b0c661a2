package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"kecho/channel"
)

// Pool is this node's links to all its peers: at most one connection to each.
type Pool struct {
	cfg       Config
	log       *slog.Logger
	tlsServer *tls.Config
	tlsClient *tls.Config
	epoch     time.Time
	blocks    blocks
	refused   complaints
	dialing   places
	table     atomic.Pointer[channel.Index[link]] // links that are up; replaced to change
	wrote     atomic.Int64                        // nanoseconds that direct writes have taken
	wg        sync.WaitGroup                      // everything that Serve started

	mu       sync.Mutex
	peers    map[channel.NodeID]*peer
	attempts uint64 // hellos sent
	serving  bool   // between Serve's start and the end of its context
	served   bool
	recv     channel.Receiver // set once by Serve, before anything reads it
	ctx      context.Context  // of the dials: done when serving ends
}

var _ channel.Links = (*Pool)(nil)

// New validates cfg. It starts nothing; SetPeers may come before Serve.
func New(cfg Config) (*Pool, error) {
	cfg, err := cfg.filled()
	if err != nil {
		return nil, err
	}
	p := &Pool{
		cfg:   cfg,
		log:   cfg.Logger,
		epoch: time.Now(),
		peers: make(map[channel.NodeID]*peer),
	}
	if cfg.TLS != nil {
		p.tlsServer, p.tlsClient = ServerTLS(cfg.TLS), ClientTLS(cfg.TLS)
	}
	p.table.Store(new(channel.Index[link]))
	return p, nil
}

// SetPeers says which nodes exist, this one excepted. New ones are dialed, and
// so are those of which it has news, without the wait that failures have
// earned them. Those that it no longer names are not dialed and not let in any
// more, but a link that stands goes on until it fails by itself: who is gone
// by rumour may be well (docs/design.md, "Who exists").
//
// It does not block and keeps nothing of peers.
func (p *Pool) SetPeers(peers []Peer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	named := make(map[channel.NodeID]bool, len(peers))
	for _, info := range peers {
		if info.ID == p.cfg.ID || info.ID == 0 {
			continue
		}
		named[info.ID] = true
		pr := p.peers[info.ID]
		if pr == nil {
			pr = newPeer(p, info)
			p.peers[info.ID] = pr
		}
		pr.learnLocked(info)
		p.redialLocked(pr)
	}
	for id, pr := range p.peers {
		if !named[id] {
			pr.forgetLocked()
			p.dropLocked(pr)
		}
	}
}

// Send implements channel.Links. On an idle TCP link it is one system call on
// the caller's goroutine and allocates nothing.
func (p *Pool) Send(ctx context.Context, to channel.NodeID, how channel.Handling, frame []byte) error {
	if len(frame) > channel.MaxFrame {
		return fmt.Errorf("frame of %d bytes: %w: the limit is %d", len(frame), channel.ErrTooLarge, channel.MaxFrame)
	}
	l := p.table.Load().Get(to)
	if l == nil {
		return channel.ErrNoLink
	}
	o := order{ln: laneOf(how.Priority), share: how.Share % channel.Shares, try: how.Try, due: l.peer.at(how.Due)}
	err := l.send(ctx, o, frame)
	if err == channel.ErrQueueFull && !how.Try {
		l.peer.counts[o.ln].refused.Add(1)
	}
	return err
}

// Serve implements channel.Links: it accepts, dials and watches until ctx is
// done, then says goodbye to every peer, which takes at most
// Config.FlushTimeout. The error is not nil when the listener failed for good.
func (p *Pool) Serve(ctx context.Context, r channel.Receiver) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	p.mu.Lock()
	if p.served {
		p.mu.Unlock()
		return errors.New("link: Serve called twice")
	}
	p.served, p.serving, p.recv, p.ctx = true, true, r, ctx
	p.wg.Go(func() {
		if err := p.accept(ctx); err != nil {
			stop(err)
		}
	})
	p.wg.Go(func() { p.watch(ctx) })
	for _, pr := range p.peers {
		p.redialLocked(pr)
	}
	p.mu.Unlock()

	<-ctx.Done()
	p.drain()
	p.wg.Wait()
	if err := context.Cause(ctx); errors.Is(err, errListener) {
		return err
	}
	return nil
}

// drain ends what Serve started: politely first.
func (p *Pool) drain() {
	p.cfg.Listener.Close()
	p.mu.Lock()
	p.serving = false
	var links []*link
	for _, pr := range p.peers {
		if pr.link != nil {
			links = append(links, pr.link)
		}
	}
	p.mu.Unlock()
	for _, l := range links {
		l.finish()
	}
	patience := time.NewTimer(p.cfg.FlushTimeout)
	defer patience.Stop()
	for _, l := range links {
		select {
		case <-l.ended:
		case <-patience.C:
			for _, l := range links {
				l.close(ErrDraining)
			}
			return
		}
	}
}

// run reads from l until it ends, and tells the receiver of its whole life.
// The caller has made l its peer's link.
func (p *Pool) run(l *link) {
	pr := l.peer
	if l.prev != nil {
		<-l.prev.ended // one peer's calls come one after the other
		l.prev = nil
	}
	if l.ending() == nil {
		for _, tr := range l.tracks {
			p.wg.Go(func() { l.write(tr) })
		}
		p.setUp(l)
		p.recv.LinkUp(pr.id)
		l.close(l.readAll(p.recv))
		p.setDown(l)
		p.recv.LinkDown(pr.id, l.ending())
	}
	close(l.ended)
	p.gone(l)
}

func (p *Pool) setUp(l *link) {
	l.heard.Store(p.now())
	l.mu.Lock()
	l.up = time.Now()
	l.mu.Unlock()
	p.refused.forget(l.socket.RemoteAddr())
	name := p.list(l.peer, l)
	p.log.Info("link up", "peer", name, "addr", l.socket.RemoteAddr().String())
	p.cfg.Changed(Change{Peer: l.peer.id, Name: name})
}

func (p *Pool) setDown(l *link) {
	name := p.list(l.peer, nil)
	p.log.Info("link down", "peer", name, "cause", clip(l.ending().Error()))
	p.cfg.Changed(Change{Peer: l.peer.id, Name: name, Cause: l.ending()})
}

// list makes l, or nothing, what Send finds for pr. It returns pr's name.
func (p *Pool) list(pr *peer, l *link) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	table := maps.Collect(p.table.Load().All())
	table[pr.id] = l
	p.table.Store(channel.IndexOf(table))
	return pr.info.Name
}

// now is the time since the pool was made, in nanoseconds and never zero.
func (p *Pool) now() int64 { return int64(time.Since(p.epoch)) + 1 }

// errListener is why Serve ends by itself.
var errListener = errors.New("the listener failed")

// maxGreeting is how many connections may be between accept and welcome. The
// others wait in the listener's backlog: each of these holds memory for who
// has not yet said who it is.
const maxGreeting = 256

// accept lets connections in until ctx is done.
func (p *Pool) accept(ctx context.Context) error {
	places := make(chan struct{}, maxGreeting)
	for wait := time.Duration(0); ; {
		conn, err := p.cfg.Listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("%w: accept links: %w", errListener, err)
		case err != nil: // out of descriptors, most likely: it passes
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			p.log.Warn("cannot accept links for now", "error", err, "again in", wait)
			pause(ctx, wait)
			continue
		}
		wait = 0
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			conn.Close()
			return nil
		}
		p.wg.Go(func() {
			l := p.welcome(ctx, conn)
			<-places
			if l != nil {
				p.run(l)
			}
		})
	}
}

// pause waits for d or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
