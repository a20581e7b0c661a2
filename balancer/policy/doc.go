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
// (overflow), and also below it while overflow is raised, because the machine
// and not the number of requests is at its limit; what nobody else takes, or may take, uses the places up to the
// hard limit; then it waits in the queue, bounded in number and by the age of
// its head.
//
// The queue is ordered by age, and a place that is free goes to the oldest who
// may have it. So nothing waits while there is room for it, and what may yet
// go to a peer is not in the way of what may not.
//
// # Use
//
// A Gate is asked with Arrive; what it answers is a Verdict. Whoever was told
// to Wait is told later: by what Finish returns, or by what Due returns when
// the time has come that Next names.
//
//	v := gate.Arrive(now, ticket)
//	switch v {
//	case policy.Start:    // serve it here, then gate.Finish(now); if it could not
//	                      // even be sent: then gate.Back(now, ticket) too
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
// The queue holds at most Limits.Queue requests; a request that is tried at
// peers has no place kept there. One event costs at most the logarithm of the
// queue's length. A budget holds at most its burst. Health ejects at most half
// of the peers, for at most 10 s, and forgets one 20 s after its last failure
// at the latest, when the next failure is noted.
//
// # Testing
//
// Scenario scripts in testdata drive a Gate event by event and hold what it
// says against what is written there (go test -update writes it); script.run
// in gate_test.go has their words. model_test.go has a naive gate that random
// histories are held against.
package policy
