package balancer

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
)

// Guard wraps a listener so that refusal can tell a handler what net/http
// hides from it: requests whose framing two readers may understand in two
// ways. It reads along on each connection and changes nothing.
//
// It must be the outermost wrapper of a plaintext listener, with
//
//	http.Server{ConnContext: GuardContext, DisableGeneralOptionsHandler: true, ...}
//
// so that each request head reaches the handler, which calls refusal once for
// each. A connection that begins with the HTTP/2 preface is not looked at.
func Guard(l net.Listener) net.Listener { return &guardedListener{l} }

type guardedListener struct{ net.Listener }

func (l *guardedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &guarded{Conn: conn}, nil
}

type guardKey struct{}

// GuardContext lets the handlers of a connection find its guard; it is for
// http.Server.ConnContext. A connection that is not guarded changes nothing.
func GuardContext(ctx context.Context, c net.Conn) context.Context {
	if g, ok := c.(*guarded); ok {
		return context.WithValue(ctx, guardKey{}, g)
	}
	return ctx
}

// refusal says whether r must be refused, with which status, and why, in words
// that tell the client what to send instead. It is called exactly once for
// each request, by its handler, before anything else; after a refusal the
// connection must be closed (refuse does). Requests on connections without a
// guard, and of HTTP/2, are never refused.
func refusal(r *http.Request) (status int, reason string, refused bool) {
	g, _ := r.Context().Value(guardKey{}).(*guarded)
	if g == nil {
		return 0, "", false
	}
	if r.ProtoMajor >= 2 && r.Method != "PRI" {
		return 0, "", false
	}
	served := g.served.Add(1)
	if v := g.verdict.Load(); v != nil && served >= v.head {
		return v.status, v.reason, true
	}
	if served > g.heads.Load() { // net/http saw a head that the guard did not
		return http.StatusBadRequest, "the request cannot be told from what came before it; use a new connection", true
	}
	return 0, "", false
}

// guarded is a connection whose HTTP/1 framing is followed as it is read.
type guarded struct {
	net.Conn
	framing  framing                 // owned by Read, which net/http never calls twice at once
	broken   bool                    // owned by Read: the rest cannot be told apart
	served   atomic.Uint64           // requests that came to refusal
	heads    atomic.Uint64           // requests that Read has seen begin
	verdict  atomic.Pointer[verdict] // the first bad head; nothing is followed after it
	released atomic.Bool
}

// verdict refuses the head-th request of a connection and all after it.
type verdict struct {
	head uint64
	*fault
}

// Read reads from the connection. Where the body of the request that is being
// served breaks its framing, it fails with a fault once what came before has
// been delivered. A later request's fault waits for that request to be
// refused: an error now would cancel the one before it.
func (g *guarded) Read(p []byte) (int, error) {
	if g.broken {
		return 0, g.framing.fault
	}
	n, err := g.Conn.Read(p)
	if n == 0 || g.framing.done || g.released.Load() {
		return n, err
	}
	good := g.framing.follow(p[:n])
	g.heads.Store(g.framing.heads)
	if g.framing.fault == nil {
		return n, err
	}
	g.verdict.Store(&verdict{head: g.framing.heads, fault: g.framing.fault})
	if g.broken = g.framing.inBody && g.served.Load() == g.framing.heads; !g.broken {
		return n, err
	}
	if good == 0 {
		return 0, g.framing.fault
	}
	return good, nil
}

// CloseWrite lets net/http end its side first, as it does when it answers
// before it has read everything.
func (g *guarded) CloseWrite() error {
	if c, ok := g.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// release ends the following: the connection is not HTTP any more.
func (g *guarded) release() { g.released.Store(true) }
