// Package balancer is the HTTP front of one node: it serves from the node's
// own web server what that can take and has peers serve the rest.
//
// # Vocabulary
//
// The web server behind a node is its upstream. A request has one owner, the
// node that its client is connected to. A place is one request at an upstream;
// the gate gives places out: up to the soft limit at once, beyond it only to
// what no peer takes, and to nobody beyond the hard limit. What finds no place
// overflows: it is forwarded, as events on the data channel, to peers that
// say that they have room. The owner's side of that is a call, the peer's an
// exchange. A call is one try; a request that is tried again is another call.
// Of several peers that were asked, in a race, the first to answer wins; the
// others are cancelled. What nobody takes waits in the gate's queue.
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
//		Limits: policy.Limits{Soft: 8, Hard: 16, Queue: 64, QueueAge: 500 * time.Millisecond},
//	})
//	node.DescribeFunc(b.Describe) // peers must know this node's load
//	go b.Run(ctx)
//	server := &http.Server{Handler: b, ConnContext: balancer.GuardContext, DisableGeneralOptionsHandler: true}
//	server.Serve(balancer.Guard(listener, nil))
//
// Peers are asked only while they are heard of: the node must submit something
// on some channel at least every 3 s.
//
// # How it is put together
//
// A request comes in by Guard (guard.go, framing.go), which sees what net/http
// hides, and ServeHTTP (front.go), which does what the gate (gate.go, around
// policy.Gate) says: local (local.go, upstream.go over package h1, upload.go, respond.go) or
// forward (forward.go). For a forward there is a call in a table (calls.go);
// the channel's OUT-filter (chain.go) picks the peers, and what they say comes
// in by handlers (inbox.go). A peer serves by serve.go, with its exchanges in a
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
// No lock is held while an event is submitted.
//
// # Limits
//
// Windows: 256 KiB of a body in each direction, less (to 64 KiB) beside more
// than 32 others. Kept for repeating, where there are peers: bodies of known
// length up to 64 KiB, 64 MiB in all. Config.PerPeer exchanges with one peer
// each way. A request is offered to 3 peers in turn, then waits here. Heads over 60 KiB or 200 fields,
// websockets, and requests with this node's own name in Via are served here
// only. Informational answers (1xx) of a peer's web server are not passed on.
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
