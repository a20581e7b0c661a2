// Package policy is the decision core of the balancer: which request runs
// here, which may go to a peer, which waits and which is refused.
//
// It is pure. Its types are state machines: what happened goes in together
// with the time, what is to be done comes out. Nothing here blocks, starts a
// goroutine, reads a clock or knows of HTTP or channels, so that the agent,
// tests in fake time and a simulator decide with the same code.
//
// # Vocabulary
//
// The owner of a request is the node that its client is connected to; only
// the owner moves it. A place is one request at the web server. Up to the
// soft limit places are taken at once; above it a request may go elsewhere
// (overflow); when nobody takes it, places up to the hard limit are used; then
// it waits in the queue, bounded in number and by the age of its head.
//
// # Use
//
// A Gate is asked with Arrive; what it answers is a Verdict. Whoever was told
// to Wait is told later: by what Finish returns, or by what Due returns when
// the time has come that Next names.
//
//	v := gate.Arrive(now, ticket)
//	switch v {
//	case policy.Start:    // serve it here, then gate.Finish(now)
//	case policy.Overflow: // offer it to peers; if none takes it: gate.Back(now, ticket)
//	case policy.Wait:     // until Finish or Due hand the ticket out, or gate.Leave
//	case policy.Shed:     // 503
//	case policy.Fail:     // 502: the web server is down and no peer took it
//	}
//
// # Concurrency
//
// None: the caller holds one lock around each state machine. Time is a
// time.Duration since a moment of the caller's choice, on a clock that does
// not go back.
//
// # Limits
//
// The queue holds at most Limits.Queue requests; a budget at most its burst.
//
// # Testing
//
// Scenario scripts in testdata drive a Gate event by event and hold what it
// says against what is written there.
package policy
