// Package channeltest helps to test what is built on channels: nodes that are
// linked without a network, a handler that remembers, and the suites that
// every channel.Links and channel.Registry must pass.
//
// # Vocabulary
//
// A Hub links nodes of one process: each pair of nodes that serve is linked,
// until Down cuts it. Nodes makes running nodes on a Hub, Open opens a channel
// on all of them, and a Recorder is a handler that keeps what it is given.
//
// # Use
//
//	synctest.Test(t, func(t *testing.T) {
//		nodes, hub := channeltest.Nodes(t, 3)
//		chans := channeltest.Open(t, "work", nodes...)
//		got := channeltest.Record(t, chans[1], channel.Match{})
//		chans[0].Submit(t.Context(), channel.Event{Type: "hello"})
//		got.Wait(t, 1)
//		hub.Down(nodes[0].ID(), nodes[1].ID())
//	})
//
// An Authority signs certificates for links with TLS.
//
// Everything works outside a synctest bubble too. OneProcessor keeps the race detector
// whole where serf runs in bubbles.
//
// # Concurrency
//
// All of it may be used by any goroutine. What Nodes starts has ended when the
// test's cleanup has run. Nothing waits on real time in a bubble; outside one,
// whoever waits in vain fails the test after 10 s.
//
// # Limits
//
// A Hub loses nothing, keeps the order of each priority and delays nothing.
// It holds 1,536 frames or 6 MiB for each direction and priority, two thirds of it
// for one share. It passes the
// suite for Links itself, except that silence is not in it: delay, loss and
// partition are memnet's.
package channeltest
