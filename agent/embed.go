package agent

import (
	"context"
	"errors"
	"net/http"
)

// inProgram is what an embedded agent calls its web server.
const inProgram = "this program"

// Middleware puts the agent, whose Config has Embedded, before the handlers of a
// Go web server: the handler that it returns serves what this node has a place
// for by next, in the same call and with nothing added, has peers serve the rest,
// and next serves what peers send here. Before and after Run it is next alone.
//
// What guards a front against its clients, limits of connections, of heads and of
// slow ones, is the program's server's, which takes them in.
//
// It is called once, before Run; what it returns may be called at any time. As
// net/http asks, next must not use a ResponseWriter or a Request's Body after it
// has returned; a connection that it takes over it may go on using, but its place
// is free when it returns. Requests of peers have the client's address in
// RemoteAddr, with port 0, the fields that an agent sends to any web server
// (Via, X-Forwarded-For and so on), and contexts without net/http's values.
func (a *Agent) Middleware(next http.Handler) http.Handler {
	switch {
	case !a.cfg.Embedded:
		panic("agent: Middleware needs Config.Embedded: this agent stands before " + a.cfg.Upstream)
	case next == nil || a.next != nil:
		panic("agent: Middleware is called once, with a handler: peers' requests have one place to go")
	}
	a.next = next
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if front := a.embedded.Load(); front != nil {
			(*front).ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// errNoMiddleware says that an embedded agent has no web server.
var errNoMiddleware = errors.New("Config.Embedded, and Middleware was not called: wrap the web server's handler with it before Run")

// serveEmbedded takes the requests of the program that the agent is part of,
// until ctx is done.
func (a *Agent) serveEmbedded(ctx context.Context) error {
	var front http.Handler = a.balancer
	a.embedded.Store(&front)
	a.announceStart()
	<-ctx.Done()
	a.finishInFlight(nil, nil, nil)
	return nil
}

// validateEmbedded refuses what is the program's own to decide.
func (c Config) validateEmbedded() error {
	if c.Upstream != "" || c.Listen != "" || c.TLSCert != "" || c.TLSKey != "" || c.ProxyProtocol {
		return errors.New("Config.Embedded goes without Upstream, Listen, TLSCert, TLSKey and ProxyProtocol: the program's own server takes clients in, and Middleware has its handler")
	}
	return nil
}
