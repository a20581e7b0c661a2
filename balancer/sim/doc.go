// Package sim is a cluster of nodes simulated event by event: the decision
// core of the balancer (policy.Core) and the filters of its channel, in a
// network and before web servers that are only times on a clock.
//
// It holds the policy to its goal: every request answered as if the cluster
// were one server with one queue. It has no copy of the policy. What it adds
// is who arrives when, how long a request takes, how long a message takes.
//
// # Vocabulary
//
// A scenario is arrivals, services and faults; a policy is who decides, a mode of
// policy.Core but for the last four:
//
//	none        every node for itself
//	paper       the KECho paper's: after 2.5 s to the least loaded by reports
//	            once a second
//	push        to the best of 8 sampled, who may refuse
//	offers      late binding: offer, claim, grant
//	auto        what agents are to run: offers, or push
//	race        copies at once, at the owner and at peers
//	hedge       auto, and a backup for what takes long
//	speculative auto, and offers have the request with them
//	p2c, least  references: by the last report alone, to the better of two at
//	            random or to the least loaded of all (stock filters, no core)
//	jsq         limit: the shortest queue, known perfectly, at no cost
//	central     limit: one queue for all places, at no cost
//
// # Use
//
//	s, err := sim.Named("hot-4x")
//	result, err := sim.Run(ctx, sim.Config{Scenario: s, Policy: sim.Auto, Nodes: 8, Seconds: 600})
//
// Select has sweeps of scenarios by name, and the points of the paper's Figures
// 8 and 9.
//
// Every purpose has its own random stream, so that all policies see the same
// arrivals, sizes and faults: Ratio of two results of one Config and seed
// compares policies and nothing else.
//
// Real servers are asked the same with Arrivals, and what was recorded before
// them is held against the limits with Replay.
//
// # Concurrency
//
// None inside: one run is one loop on the caller's goroutine. Runs share
// nothing and may go on at once.
//
// # Limits
//
// Memory grows with nodes x peers heard, and with requests (4 bytes each). The
// network keeps the order of messages between two nodes; bodies cost nothing
// but the delay. The reports of p2c and least are heard by all at once.
//
// # Testing
//
// The tests need no helper package. KECHO_NIGHTLY=1 has them simulate more
// scenarios.
package sim
