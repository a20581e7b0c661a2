package link

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// greet says hello on a connection that this node dialed, and makes a link of
// it when the peer welcomes it. On an error the caller closes conn.
func (p *Pool) greet(ctx context.Context, pr *peer, info Peer, conn net.Conn) (*link, error) {
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	deadline, cancel := context.WithTimeout(ctx, p.cfg.HelloTimeout)
	defer cancel()
	conn.SetDeadline(time.Now().Add(p.cfg.HelloTimeout))
	secured, cert, err := p.secure(deadline, conn, true)
	if err != nil {
		return nil, err
	}
	attempt, err := p.beginHello(ctx, pr)
	if err != nil {
		return nil, err
	}
	hello := greeting{from: p.cfg.ID, to: pr.id, attempt: attempt, name: p.cfg.Name, cluster: p.cfg.Cluster}
	if _, err := secured.Write(appendFrame(nil, kindHello, hello.append(nil))); err != nil {
		return nil, fmt.Errorf("say hello: %w", err)
	}
	kind, payload, err := readControl(secured)
	if err != nil {
		return nil, fmt.Errorf("await the welcome: %w", err)
	}
	switch kind {
	case kindRefuse:
		no, err := parseRefusal(payload)
		if err != nil {
			return nil, err
		}
		if no.code == codeTLS && p.cfg.TLS == nil {
			return nil, errOnlyThere
		}
		return nil, fmt.Errorf("refused: %w", &refusal{no.code, fmt.Sprintf("%q", no.text)})
	case kindWelcome:
		g, err := parseGreeting(payload)
		if err != nil {
			return nil, err
		}
		if no := p.mismatch(g, info, cert, conn); no != nil {
			return nil, no
		}
		return p.welcomed(ctx, pr, g, secured, conn)
	}
	return nil, errNotKecho
}

// beginHello notes that a hello is out from now on, and is its number.
func (p *Pool) beginHello(ctx context.Context, pr *peer) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	pr.waiting = true
	p.attempts++
	return p.attempts, nil
}

// welcomed makes the dialed connection the peer's link, unless the peer's own
// dial was accepted meanwhile.
func (p *Pool) welcomed(ctx context.Context, pr *peer, g greeting, conn, socket net.Conn) (*link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	socket.SetDeadline(time.Time{})
	pr.waiting, pr.dialing = false, false
	pr.seen = max(pr.seen, g.attempt)
	pr.link = newLink(p, pr, conn, socket)
	return pr.link, nil
}

// mismatch is what is wrong with who g says to be, given what SetPeers says of
// that node and the certificate that was shown, if any.
func (p *Pool) mismatch(g greeting, info Peer, cert *x509.Certificate, conn net.Conn) *refusal {
	at := conn.RemoteAddr()
	switch {
	case g.cluster != p.cfg.Cluster:
		return &refusal{codeCluster, fmt.Sprintf("peer at %s is of cluster %q, %s is of cluster %q: a node joins one cluster only", at, g.cluster, p.cfg.Name, p.cfg.Cluster)}
	case cert != nil && !certifies(cert, g.name):
		return &refusal{codeName, fmt.Sprintf("peer at %s claims the name %q, but its certificate is for %s: give it a certificate of its own", at, g.name, certified(cert))}
	case g.from != info.ID:
		return &refusal{codeOther, fmt.Sprintf("peer at %s is another node than %s: it was restarted, or the address is wrong", at, info.Name)}
	case g.name != info.Name:
		return &refusal{codeName, fmt.Sprintf("peer at %s claims the name %q, but the registry knows it as %q: each node needs one name of its own", at, g.name, info.Name)}
	}
	return nil
}

// welcome hears the hello on a connection that a peer dialed, answers it, and
// makes a link of it. It has closed the connection when it is nil.
func (p *Pool) welcome(ctx context.Context, conn net.Conn) *link {
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	deadline, cancel := context.WithTimeout(ctx, p.cfg.HelloTimeout)
	defer cancel()
	conn.SetDeadline(time.Now().Add(p.cfg.HelloTimeout))
	secured, cert, err := p.secure(deadline, conn, false)
	if err != nil {
		p.refuse(conn, conn, err)
		return nil
	}
	hello, err := readHello(secured)
	if err != nil {
		p.refuse(secured, conn, err)
		return nil
	}
	l, answer, err := p.admit(hello, cert, secured, conn)
	if err != nil {
		p.refuse(secured, conn, err)
		return nil
	}
	if l.prev != nil {
		l.prev.close(ErrReplaced)
	}
	if _, err := secured.Write(appendFrame(nil, kindWelcome, answer.append(nil))); err != nil {
		l.close(lost(err))
	}
	conn.SetDeadline(time.Time{})
	return l
}

func readHello(conn net.Conn) (greeting, error) {
	kind, payload, err := readControl(conn)
	if err != nil {
		return greeting{}, err
	}
	if kind != kindHello {
		return greeting{}, errNotKecho
	}
	return parseGreeting(payload)
}

// refuse tells the peer why not, where it could understand, and closes. The
// log is told aloud once for each host and cause.
func (p *Pool) refuse(conn, socket net.Conn, err error) {
	defer socket.Close()
	level, message, text := slog.LevelInfo, "connection refused", clip(err.Error())
	var no *refusal
	if errors.As(err, &no) {
		level, message, text = slog.LevelDebug, "peer refused", no.text
		if no.lasting() {
			level = slog.LevelWarn
		}
		conn.Write(appendFrame(nil, kindRefuse, no.append(nil)))
		if laned, ok := conn.(Laned); ok {
			laned.Linger()
		}
	}
	addr := socket.RemoteAddr()
	if level > slog.LevelDebug && !p.refused.first(addr, text) {
		level = slog.LevelDebug
	}
	attrs := []any{"addr", addr.String(), "error", text}
	if name := p.nameAt(addr); name != "" {
		attrs = append(attrs, "peer", name)
	}
	p.log.Log(context.Background(), level, message, attrs...)
}

// nameAt is the name of the peer at addr's host, if there is but one.
func (p *Pool) nameAt(addr net.Addr) (name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	host := hostOf(addr.String())
	for _, pr := range p.peers {
		if !pr.known || hostOf(pr.info.Addr) != host {
			continue
		}
		if name != "" {
			return ""
		}
		name = pr.info.Name
	}
	return name
}

// admit makes the connection on which hello came the peer's link, in place of
// whatever the peer has had or this node was about to make.
func (p *Pool) admit(hello greeting, cert *x509.Certificate, conn, socket net.Conn) (*link, greeting, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pr := p.peers[hello.from]
	if no := p.objectLocked(hello, pr, cert, socket); no != nil {
		return nil, greeting{}, no
	}
	if pr.abort != nil {
		pr.abort(errAccepted)
	}
	pr.waiting = false
	pr.seen = hello.attempt
	pr.link = newLink(p, pr, conn, socket)
	pr.poke()
	answer := greeting{from: p.cfg.ID, to: pr.id, attempt: p.attempts, name: p.cfg.Name, cluster: p.cfg.Cluster}
	return pr.link, answer, nil
}

// objectLocked is why hello, from the peer pr (nil: unknown), is refused; nil
// when it is not.
func (p *Pool) objectLocked(hello greeting, pr *peer, cert *x509.Certificate, conn net.Conn) *refusal {
	info := Peer{ID: hello.from, Name: hello.name}
	known := pr != nil && pr.known
	if known {
		info = pr.info
	}
	if no := p.mismatch(hello, info, cert, conn); no != nil {
		return no
	}
	switch {
	case !p.serving:
		return &refusal{codeDraining, p.cfg.Name + " is shutting down"}
	case hello.to != p.cfg.ID:
		return &refusal{codeOther, "this is " + p.cfg.Name + " in another life than was meant"}
	case !known:
		return &refusal{codeUnknown, p.cfg.Name + " has not heard of " + hello.name + " yet"}
	case hello.attempt <= pr.seen:
		// Sent before the link that stands, or its predecessor, was made.
		return &refusal{codeCrossed, "a link was made meanwhile"}
	case pr.waiting && p.cfg.ID < hello.from:
		return &refusal{codeCrossed, p.cfg.Name + " is dialing too, and goes first"}
	}
	return nil
}
