// Package clients bounds the connections that a front's clients have open, so
// that those being served are not harmed by how many others come.
//
// # Vocabulary
//
// A connection is busy from a whole request head to the end of the answer (on
// HTTP/2: while it has a stream), and idle else. One that never had a request is
// new. Making room is closing an idle connection so that another can come in.
//
// # What happens at the limits
//
// The limit of all connections is met as nginx meets its worker_connections,
// not as HAProxy meets maxconn: while some are idle, one of them makes room
// instead of keeping work out for the minute that it may be idle. It must have been
// idle for a second. New ones go first, so that who opens connections and sends
// nothing drives out their own; then those that have been idle longest. Where
// there is none nothing is accepted, as by HAProxy and by netutil.LimitListener:
// who comes waits in the kernel's backlog and is taken when one of the others
// ends or has been idle for long enough. Being closed at once, as Envoy's
// connection limit does it, would have clients come back in a hurry.
//
// An address that has its share is refused: its next connection is reset. IPv6
// addresses are counted by /64, which is what one client has. Addresses that
// are Exempt stand for many clients and have no share, unless From says later
// who came through them.
//
// When the process has no descriptor left, an idle connection makes room for
// the next, and accepting pauses, 5 ms first and a second at most; the log has
// one line a minute.
//
// # Use
//
//	table := clients.New(clients.Config{Most: 10_000, PerAddress: 1_000})
//	l = table.Listen(l)
//	conn, err := l.Accept()
//	client := clients.Of(conn) // also through wrappers that have NetConn
//	if !client.Begin() { ... } // before a request has any effect
//	client.End()               // after its answer
//
// # Concurrency
//
// Everything may be called from any goroutine. Begin and End take no lock. The
// package starts no goroutine.
//
// # Limits
//
// Config.Most and Config.PerAddress. One connection more than Most may be held
// that nobody serves yet. Finding who makes room looks at all connections and
// closes 1 to 32 of them; a connection that comes while 10,000 idle ones are
// open costs about 2 us.
//
// # Testing
//
// Everything is tested over channel/memnet in testing/synctest bubbles; with
// real sockets in e2e.
package clients
