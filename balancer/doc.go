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
//	server := &http.Server{Handler: b, ConnContext: balancer.GuardContext, DisableGeneralOptionsHandler: true}
//	server.Serve(balancer.Guard(listener, nil))
//
// How busy peers are is known from what they submit: a node should submit
// something on some channel about every second.
//
// # How it is put together
//
// A request comes in by Guard (guard.go, framing.go), which sees what net/http
// hides, and ServeHTTP (front.go), which reads how urgent it is (urgency.go) and
// how long its client waits (deadlines.go). The desk (desk.go) is policy.Core with a lock
// and a clock. What the core says of a request of this node are orders
// (orders.go), which the request's goroutine obeys (carry.go): here (local.go,
// upstream.go over package h1 or h2.go, upload.go, respond.go) or at a peer (forward.go).
// All else that the core says are errands (errand.go, control.go). The channel's
// OUT-filter picks the peers (chain.go, choose.go, package choice). For what
// peers have there is a call in a table (calls.go), and what they say comes in
// by handlers (inbox.go). A peer serves by serve.go, with its exchanges in a
// table too (exchanges.go). Events are packed and checked in message.go and
// bodyevent.go; stream.go bounds what is held of bodies. spec.md has the
// protocol.
//
// # Concurrency
//
// Everything exported may be called by many goroutines at once. Run starts two
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
// window yet. Heads over 60 KiB or 200 fields, websockets, and requests with this
// node's own name in Via are served here only. Informational answers (1xx) of a
// peer's web server are not passed on.
//
// A client's deadline is for the head of the answer. It cannot end the wait for
// a small body that is kept for repeating: that is looked at when the body is
// there. HTTP/2's PRIORITY_UPDATE frames are not heard. No rule depends on the
// wall clock: times are differences on the monotonic one, and travel as what is
// left.
//
// Clients: a head has 5 s from its first byte, 64 KiB and 100 fields; a body
// may pause for 15 s; an answer is cut of which nothing is taken for 30 s, or,
// on an HTTP/2 stream, of which 32 KiB are not taken in that time.
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
