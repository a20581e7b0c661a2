// Package events is one process of kecho-lab's bench channel: the source of
// events or one of their sinks, over kecho's channels or over NATS.
//
// # Vocabulary
//
// A station is such a process. A bus is what its events travel on: a node of
// kecho's with links and a registry, or a client of a NATS server. A subject is
// what both are subscribed by: a channel's name, or NATS's subject. A flood is
// events as fast as the bus takes them, none of which may be lost.
//
// # Use
//
//	err := events.Serve(ctx, events.Config{Bus: events.OverTCP, Name: "n1", Subjects: []string{"all"}}, os.Stdout)
//
// prints where it is as a line of JSON (Address) and then does what is posted
// to its control: /ready (Ready), /send (Send), /heard (Hear) and /clear.
//
// # How a time is taken
//
// A body begins with the time at which it was submitted, by CLOCK_MONOTONIC,
// which all processes of one machine share; the handler looks at the clock
// first of all. In a flood the time is 0 and events are only counted: looking at
// the clock would cost the sinks of both as much as delivering does.
//
// What wakes the source when an event is due (package alarm) does not wake the
// monitor of Go's scheduler with it, a thread that would then look about while the
// event goes out: who publishes may do that, and pays for it.
//
// # Concurrency
//
// Serve blocks until ctx ends. One order to a station is under way at a time.
//
// # Limits
//
// NATS drops what a subscriber is too slow for. In a flood its sinks therefore
// tell the source how far they are, each 2,048 events, and the source keeps 16
// MiB, and 65,536 events, at most before them. Kecho's links make the source
// wait by themselves: a flood is of priority bulk, all else normal.
//
// # Testing
//
// The tests here need no bus; e2e/channelbench_test.go runs the processes.
package events
