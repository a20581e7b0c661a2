// Package balancer is the HTTP front of one node: it serves from the node's
// own web server what that can take and has peers serve the rest.
//
// # Vocabulary
//
// The web server behind a node is its upstream. A request has one owner, the
// node that its client is connected to. A place is one request at an upstream;
// policy.Core gives places out: up to the soft limit at once, beyond it only to
// what no peer takes, and to nobody beyond the hard limit. What finds no place
// overflows: it waits in the queue and is offered to a few peers, as events on
// the data channel; the first to claim it is granted it. Or it is pushed to one
// that may refuse it. The owner's side of what a peer then has is a call, the
// peer's an exchange. A call is one try; a request that is tried again is
// another call. Where the policy has copies, several servers work on one try,
// this node's among them (beside.go); the first answer wins, the others are
// cancelled.
//
// A request may be repeated, that is begun a second time after a first server
// may have begun it, if its method is idempotent (RFC 9110 §9.2.2) or it has an
// Idempotency-Key, if its body can be sent again, twice at most, and within a
// budget for all.
//
// # Use
//
//	b, err := balancer.New(balancer.Config{
//		Name: "web1", Upstream: "http://127.0.0.1:8000", Data: data,
//		Policy: policy.Config{Places: 8},
//	})
//	node.DescribeFunc(b.Describe) // peers must know this node's load
//	go b.Run(ctx)
//	server := &http.Server{Handler: b, ConnContext: balancer.GuardContext, ConnState: balancer.GuardState, DisableGeneralOptionsHandler: true}
//	lane := balancer.NewLane(balancer.LaneConfig{Balancer: b, Listener: listener})
//	go lane.Run(ctx)
//	server.Serve(lane) // what is not plain; balancer.Guard(listener, nil) for all
//	lane.Drain(ctx)    // before server.Shutdown(ctx)
//
// The web server may be a handler of the same program (Config.Handler). What has
// a place is then served by it in ServeHTTP's own call, with the client's
// ResponseWriter and Request and no field of ours: 0.6 µs and no allocation for
// the decision and the counting.
//
// How busy peers are is known from what they submit: a node should submit
// something on some channel about every second.
//
// # How it is put together
//
// Which connections are open at all is package clients'. One begins in the lane
// (lane.go, laneconn.go), whose framing (framing.go, head.go, chunks.go) leaves
// marks.go, from which lanehead.go reads the request. What has a place at once
// goes as bytes (straight.go, reencode.go, relay.go, h1.Exchange); what has not
// goes to a peer as bytes too (lanemove.go, answerbytes.go), and at the peer to the
// web server (guest.go), as long as nothing unusual happens to it; else it
// becomes an http.Request (lanerequest.go, lanewriter.go). sweeper.go and
// straight.go notice clients that leave. What is not plain comes in by net/http
// and Guard (guard.go, over the same framing), which sees what net/http
// hides (h2head.go over HTTP/2), and does as late as it may what net/http wants of a connection at each
// request (vigil.go, unhurried.go). Both go to ServeHTTP (front.go), which reads how urgent it is (urgency.go) and
// how long its client waits (deadlines.go). The desk (desk.go) is policy.Core with a lock
// and a clock. What the core says of a request of this node are orders
// (orders.go), which the request's goroutine obeys (carry.go): here (local.go,
// as bytes too in plain.go, else upstream.go over package h1 or h2.go with
// upload.go; respond.go) or at a peer (forward.go).
// A handler of this program is called by middleware.go, and for peers by
// handlerclient.go, with handleranswer.go as its ResponseWriter.
// Whether the web server can serve is in health.go. All else that the core says
// are errands (errand.go, control.go). The channel's
// OUT-filter picks the peers (chain.go, choose.go, package choice). For what
// peers have there is a call in a table (calls.go), and what they say comes in
// by handlers (inbox.go). A peer serves by serve.go, with its exchanges in a
// table too (exchanges.go), which end by ending.go. A websocket is two sides joined (duplex.go), each a
// connection or a peer's events (websocket.go, websocketmoved.go); informational
// answers are hints (hints.go, early.go). Events are packed and checked in
// message.go, heads.go and bodyevent.go; stream.go bounds what is held of bodies. spec.md
// has the protocol.
//
// # Concurrency
//
// Everything exported may be called by many goroutines at once. A Lane has a
// goroutine for each connection and one beside. Run starts two
// goroutines and one for each exchange, and waits for them; a call runs on its
// request's goroutine, with another while a body is sent. Handlers of events
// run on the links' readers and never block: they change tables under short
// locks, push into bounded buffers, and leave notes in channels that have room.
// No lock is held while an event is submitted. Where a lock is held for another,
// the desk's is the first.
//
// # Limits
//
// Windows: 256 KiB of a body in each direction, less (to 64 KiB) beside more
// than 32 others. Kept for repeating, where there are peers: bodies of known
// length up to 64 KiB, 64 MiB in all. Config.PerPeer exchanges with one peer
// each way. What waits here, of peers too, is bounded by policy.Config: in
// number, in bytes and by age; what waits for a peer has no goroutine and no
// window yet. Heads over 60 KiB or 200 fields, and requests with this node's own
// name in Via, are served here only. Informational answers (1xx) pass, at
// once and in their order, where one server works on the request.
//
// A client's deadline is for the head of the answer. It cannot end the wait for
// a small body that is kept for repeating: that is looked at when the body is
// there. HTTP/2's PRIORITY_UPDATE frames are not heard. No rule depends on the
// wall clock: times are differences on the monotonic one, and travel as what is
// left.
//
// A websocket may be quiet for any time. When one side has ended its direction
// the other has 30 s for each thing that it still says. A websocket comes over
// HTTP/1.1 and goes to HTTP/1.1: extended CONNECT (RFC 8441) is not offered to
// clients, whose browsers then open an HTTP/1.1 connection for it: net/http
// speaks it only where the whole process is told to by GODEBUG.
//
// The lane: heads with their bodies of up to 16 KiB go as bytes. A request that
// is served has buffers of 44 KiB, and up to 64 KiB more if it moves, which others
// use after it; a connection that is idle has no buffer, if it is a socket of the
// system's in plaintext; else 4 KiB.
//
// Clients: a head has 5 s from its first byte, 64 KiB and 100 fields; a body
// may pause for 15 s; an answer is cut of which nothing is taken for 30 s, or,
// on an HTTP/2 stream, of which 32 KiB are not taken in that time. An HTTP/2
// client that resets more than 200 streams in 10 s, or has this side reset them as
// it breaks rules, or sends thousands of frames that carry nothing, is told to go
// away (flood.go, frames.go).
//
// A peer that breaks the protocol ends its part in the call or exchange; that
// is counted (Stats.Malformed). The link is not closed for it.
//
// # Testing
//
// cluster_test.go has clusters of balancers and web servers in one
// testing/synctest bubble, raw_test.go a peer that says what a test wants. Both
// are over channeltest.Hub; whole agents are in agent/agenttest.
package balancer
