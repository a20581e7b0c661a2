package balancer

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"kecho/balancer/clients"
)

// Guard wraps a listener of clients, plaintext where certificate is nil, so
// that refusal can tell a handler what net/http hides from it: requests whose
// framing two readers may understand in two ways. It reads along on each
// connection; a client that makes no progress is given up by it.
//
// It must be the outermost wrapper, with
//
//	http.Server{ConnContext: GuardContext, ConnState: GuardState, DisableGeneralOptionsHandler: true, ...}
//
// so that each request head reaches the handler, which calls refusal once for
// each, and with Protocols that have UnencryptedHTTP2: net/http does not see
// that there is TLS, which is spoken here. A connection that begins with the
// HTTP/2 preface is followed
// for floods only, beside http.Server.HTTP2 as HTTP2 gives it.
func Guard(l net.Listener, certificate *Certificate) net.Listener {
	g := &guardedListener{Listener: l}
	if certificate != nil {
		g.tls = certificate.config()
	}
	return g
}

type guardedListener struct {
	net.Listener
	tls *tls.Config // nil: plaintext
}

// Accept implements net.Listener. A TLS handshake happens with the first read,
// which is not Accept's but its connection's.
func (l *guardedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newGuarded(conn, l.tls), nil
}

// GuardState tells a connection's guard when nothing is being served on it any
// more; it is for http.Server.ConnState.
func GuardState(c net.Conn, state http.ConnState) {
	if g, ok := c.(*guarded); ok && state == http.StateIdle {
		g.client.End()
	}
}

// begun says that r, which has come whole, may be served. It may not where its
// connection was closed meanwhile, to make room for others'. Where the lane that
// the connection came from drains, w says that it ends.
func begun(w http.ResponseWriter, r *http.Request) bool {
	g, _ := r.Context().Value(guardKey{}).(*guarded)
	if g == nil {
		return true
	}
	if g.lane != nil && g.lane.draining() {
		w.Header().Set("Connection", "close")
	}
	return g.client.Begin()
}

// newGuarded guards conn, on which TLS is spoken if there is a configuration.
func newGuarded(conn net.Conn, conf *tls.Config) *guarded {
	pace := &paced{Conn: conn}
	if conf != nil {
		return guardedOn(tls.Server(pace, conf), pace, clients.Of(conn))
	}
	return guardedOn(pace, pace, clients.Of(conn))
}

// guardedOn guards conn, which is pace or TLS on it.
func guardedOn(conn net.Conn, pace *paced, client *clients.Conn) *guarded {
	_, over := conn.(*tls.Conn)
	return &guarded{Conn: &unhurried{Conn: conn}, encrypted: over, pace: pace, client: client}
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
// guard are never refused.
func refusal(r *http.Request) (status int, reason string, refused bool) {
	g, _ := r.Context().Value(guardKey{}).(*guarded)
	if g == nil {
		return 0, "", false
	}
	if r.ProtoMajor >= 2 && r.Method != "PRI" {
		if f := unsound(r); f != nil {
			return f.status, f.reason, true
		}
		return 0, "", false
	}
	served := g.served.Add(1)
	if served == 1 {
		g.arrive()
	}
	if v := g.verdict.Load(); v != nil && served >= v.head {
		return v.status, v.reason, true
	}
	if served > g.heads.Load() { // net/http saw a head that the guard did not
		return http.StatusBadRequest, "the request cannot be told from what came before it; use a new connection", true
	}
	return 0, "", false
}

// faultOf is what is wrong with the body of r, whose reading failed with err;
// nil: nothing that the guard or the stream knows of.
func faultOf(r *http.Request, err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	g, _ := r.Context().Value(guardKey{}).(*guarded)
	if g == nil || err == nil || r.ProtoMajor >= 2 {
		return nil
	}
	if v := g.verdict.Load(); v != nil && v.head == g.served.Load() { // of trailers net/http says less
		return v.fault
	}
	return nil
}

// guarded is a connection whose HTTP/1 framing is followed as it is read. A
// head is handed on when it is whole, so that net/http sees none at fault: in
// its place it gets the substitute, which the handler refuses in our words.
type guarded struct {
	net.Conn
	encrypted bool
	vigil     vigil
	// Owned by Read, which net/http never calls twice at once.
	framing framing
	before  []byte // what was read of the connection before it was guarded
	held    []byte // of a head that is not whole
	ready   []byte // to be handed on before anything else
	broken  bool   // a body is at fault: nothing more comes

	served   atomic.Uint64           // requests that came to refusal
	heads    atomic.Uint64           // requests that Read has seen begin
	verdict  atomic.Pointer[verdict] // the first request at fault; nothing is followed after it
	released atomic.Bool
	closing  atomic.Bool
	reading  readDeadline
	pace     *paced                // what Conn writes to
	client   *clients.Conn         // nil: nobody counts it
	flood    atomic.Pointer[flood] // nil: it is no HTTP/2
	lane     *Lane                 // where it comes from; nil: from none
	arrived  atomic.Bool           // net/http's server has begun with it
}

// arrive tells the lane that the server would let its first request be answered
// if it were shut down now, or that it has closed it.
func (g *guarded) arrive() {
	if g.lane != nil && g.arrived.CompareAndSwap(false, true) {
		g.lane.wg.Done()
	}
}

// verdict refuses the head-th request of a connection and all after it.
type verdict struct {
	head uint64
	*fault
}

// substitute stands for a head at fault. It ends the connection, so that what
// follows is not read as requests.
const substitute = "GET / HTTP/1.1\r\nHost: refused.invalid\r\nConnection: close\r\n\r\n"

// headRead is how much is read at a time where a head came in pieces.
const headRead = 4 << 10

// Read reads from the connection. Where the body of the request that is being
// served breaks its framing, or does not come, it fails with a fault once what
// came before has been delivered. A later request's fault waits for that
// request to be refused: an error now would cancel the one before it.
func (g *guarded) Read(p []byte) (int, error) {
	for {
		switch {
		case len(g.ready) > 0:
			n := copy(p, g.ready)
			g.ready = g.ready[n:]
			return n, nil
		case g.broken:
			return 0, g.framing.fault
		case g.framing.done || g.released.Load():
			return g.readOn(p)
		default:
			if len(p) == 1 && !g.framing.inBody { // only net/http's watch over its client reads so
				g.vigil.keep()
			}
			if n, err := g.take(p); n > 0 || err != nil {
				return n, err
			}
		}
	}
}

// readOn reads what is not followed as HTTP/1.
func (g *guarded) readOn(p []byte) (int, error) {
	n, err := g.read(p)
	if f := g.flood.Load(); f != nil {
		if why := f.received(p[:n]); why != "" {
			return 0, g.flooded(f, why)
		}
	}
	return n, err
}

// take reads once, into p unless something is held, and returns how much of p
// may be handed on.
func (g *guarded) take(p []byte) (int, error) {
	held := len(g.held)
	if held > 0 {
		g.held = slices.Grow(g.held, headRead)
		p = g.held[held : held+headRead]
		g.reading.forHead(g.Conn)
	} else if g.awaitsBody() {
		g.reading.forBody(g.Conn)
	}
	n, err := g.read(p)
	if n == 0 {
		return 0, g.failed(err)
	}
	good := held + g.framing.follow(p[:n])
	g.heads.Store(g.framing.heads)
	if held == 0 {
		return g.pass(p[:n], good), nil
	}
	all := g.held[:held+n]
	if g.framing.fault == nil && g.framing.unfinished() == len(all) {
		g.held = all
		return 0, nil
	}
	g.held = nil
	handed := all[:g.pass(all, good)]
	g.ready = append(handed[:len(handed):len(handed)], g.ready...)
	return 0, nil
}

// read reads what the connection has next.
func (g *guarded) read(p []byte) (int, error) {
	if len(g.before) == 0 {
		return g.Conn.Read(p)
	}
	n := copy(p, g.before)
	g.before = g.before[n:]
	return n, nil
}

// awaitsBody says whether the next bytes are of the body that is being served.
func (g *guarded) awaitsBody() bool {
	return g.framing.inBody && g.served.Load() == g.framing.heads
}

// pass returns how much of p may be handed on, good bytes of which come before
// a fault. What must follow it is ready then; what must wait is held.
func (g *guarded) pass(p []byte, good int) int {
	f := &g.framing
	switch {
	case f.fault == nil && f.seen == len(preface):
		flood := &flood{begun: time.Now()}
		flood.received(p[len(preface):])
		g.flood.Store(flood)
		g.arrive()
		g.reading.headOver()
		return len(p)
	case f.fault == nil:
		whole := len(p) - f.unfinished()
		if whole < len(p) {
			g.held = append(g.held, p[whole:]...)
		}
		if whole > 0 {
			g.reading.headOver()
		}
		return whole
	case !f.inBody:
		g.refuseHead()
		return f.headStart(good)
	}
	g.verdict.Store(&verdict{head: f.heads, fault: f.fault})
	if g.broken = g.served.Load() == f.heads; g.broken {
		return good
	}
	return len(p)
}

// refuseHead puts the substitute in the place of the head at fault.
func (g *guarded) refuseHead() {
	g.verdict.Store(&verdict{head: g.framing.heads, fault: g.framing.fault})
	g.held, g.ready = nil, []byte(substitute)
}

// failed says what becomes of a read that brought nothing.
func (g *guarded) failed(err error) error {
	late := isTimeout(err) && g.reading.ours()
	switch {
	case late && g.awaitsBody():
		g.fail(faultSlowBody)
		g.verdict.Store(&verdict{head: g.framing.heads, fault: faultSlowBody})
		g.broken = true
		return faultSlowBody
	case late && len(g.held) > 0 && g.framing.heads > 0:
		g.fail(faultSlowHead)
		g.refuseHead()
		return nil
	case len(g.held) > 0 && !isTimeout(err): // half a head: net/http knows what to do
		g.ready, g.held = g.held, nil
		return nil
	case g.framing.fault == nil && answerPlaintext(err):
		g.fail(faultPlain) // it is read no more
	}
	return err
}

// fail ends the following with a fault that is not the framing's.
func (g *guarded) fail(f *fault) { g.framing.fault, g.framing.done = f, true }

// Close implements net.Conn. A client that was refused gets a moment to see why.
func (g *guarded) Close() error {
	g.arrive()
	if g.verdict.Load() != nil && g.closing.CompareAndSwap(false, true) {
		linger(g.Conn)
	}
	g.vigil.end()
	return g.Conn.Close()
}

// SetReadDeadline implements net.Conn for net/http and handlers.
func (g *guarded) SetReadDeadline(t time.Time) error {
	defer g.vigil.hurry(t) // not before: the read that follows must find the deadline
	return g.reading.set(t, g.Conn.SetReadDeadline)
}

// SetDeadline implements net.Conn for net/http and handlers.
func (g *guarded) SetDeadline(t time.Time) error {
	defer g.vigil.hurry(t)
	return g.reading.set(t, g.Conn.SetDeadline)
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
func (g *guarded) release() {
	g.released.Store(true)
	g.pace.released.Store(true)
	_ = g.SetWriteDeadline(time.Time{}) // an error ends what is written too
}

// encrypted says whether r came over TLS, as far as this node saw.
func encrypted(r *http.Request) bool {
	if g, _ := r.Context().Value(guardKey{}).(*guarded); g != nil {
		return g.encrypted
	}
	return r.TLS != nil
}
