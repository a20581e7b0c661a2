// Package paper repeats the microbenchmarks of the papers that kecho comes from,
// on nodes that are linked over loopback TCP as agents are.
//
// # Vocabulary
//
// A town is nodes in this process, each with links and channels of its own and a
// link to every other. A line is one figure beside what the paper has for it. Of
// the KECho paper: Figure 7, what filters save, and Table 1, what channels cost.
// Of AEM: Figure 6, what an active link costs beside idle ones. A hub is a
// process for that: a node with an active link, and many idle ones. A sink is a
// process too, with one node. Of TAO: the
// full and subset configurations of a channel, for which there are no figures.
//
// # Use
//
//	res, err := paper.Run(ctx, paper.Config{Process: []string{"/usr/bin/kecho-lab", "bench"}})
//
// The processes that it starts call Hub and Sink.
//
// # How it is measured
//
// Everything is done in turns, so that what else the machine does meets all that
// is compared alike; a figure is the median of its events, and a ratio has the
// least and the most of turns beside each other. Where submitting is timed events are
// submitted one at a time, a quarter of a millisecond apart, as in the papers: a
// stream of them goes out many with one system call, which bench channel measures.
// The sinks of an OUT-filter are processes of their own, as they were machines of
// their own: of 8 nodes in one process the first event's would wake all. What
// handling costs is taken in a stream, on the goroutine that does it, from when the
// link has the frame until the handlers have ended.
//
// # Concurrency
//
// Run, Hub and Sink block, and have ended all that they started when they return.
//
// # Limits
//
// A hub of 5,000 idle links has 10,000 connections, since their other ends are in
// it too; what the process may not have open is left out, and said. Idle links are
// pinged each 10 min here, each second in an agent.
//
// # Testing
//
// e2e/paperbench_test.go runs a short form.
package paper
