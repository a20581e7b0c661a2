// Package h1 is a client for one HTTP/1.1 server: it keeps connections, writes
// requests and reads answers as bytes.
//
// It is for a proxy. Nothing is added to a request and nothing is guessed: the
// target goes out byte by byte, fields as they are given, and what comes back
// is an answer of sound framing or an error. Redirects, cookies, compression
// and proxies are not its business.
//
// # Vocabulary
//
// An exchange is one request and its answer on one connection. A connection is
// idle between exchanges, and stale when its server has closed it meanwhile.
// An answer is early when it is informational (1xx), or when it comes before
// the request's body has gone.
//
// # Use
//
//	c := h1.New(h1.Config{Dial: dial, Idle: 64})
//	res, err := c.Do(ctx, &h1.Request{Method: "GET", Target: "/a?b", Host: "web", Header: header})
//	defer res.Body.Close()
//	...
//	err = c.Exchange(ctx, &h1.Raw{Method: "GET", Message: text, AnswerBy: then, Waiting: ask}, &x)
//	...
//	x.Close()
//	c.Reap()      // now and then: closes what was idle for too long
//	c.CloseIdle() // at the end
//
// # How it is done
//
// Do runs an exchange on its caller's goroutine: it writes the head, with the
// body if that is in memory and small, and reads until the head of the answer
// is whole. A body that is read from somewhere has a goroutine for its
// sending, since servers may answer before they have read it. The answer's
// body is read from the connection by whoever reads it. Time limits are
// deadlines on the connection, not timers.
//
// Exchange does the same with bytes: the request is there as it is sent, with
// its body (Request.AppendTo makes one), and an answer's fields are places in what
// was read. Nothing is allocated for it. Its caller is asked about ten times a second whether to wait
// on, which is how it ends before its time.
//
// The connection that was used last is taken first, and looked at before: one
// that its server has closed, or on which something came that nobody asked
// for, is thrown away. If it turns out to be stale all the same, the exchange
// is done again, once and on a new connection, but only when nothing was sent of
// it, or when its method is safe (RFC 9110 §9.2.1), it has no body, and nothing
// came back.
//
// Of an answer, these are errors: a status line, a field name or value that is
// not HTTP, folded lines, a transfer coding other than chunked, both
// Transfer-Encoding and Content-Length, lengths that differ, a chunk that is
// malformed. The lines of a head may end with a bare LF: old servers send it.
//
// # Concurrency
//
// A Client's methods may be called by many goroutines at once. An answer's
// body belongs to one reader; Close of an upgraded connection may be called at
// any time.
//
// # Limits
//
// The head of an answer has 64 KiB, its trailers 8 KiB, a chunk's size line
// 256 bytes. At most 16 informational answers come before a final one.
// Config.Idle connections are kept, for Config.IdleTimeout and Config.Requests
// exchanges, or less where the server's Keep-Alive says so. How many exchanges
// there are at once is for the caller to bound.
//
// # Testing
//
// h1_test.go has servers that say byte by byte what a test wants, in
// testing/synctest bubbles.
package h1
