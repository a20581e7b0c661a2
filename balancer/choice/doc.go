// Package choice picks the peers that an offer or a push goes to: the
// OUT-filters between a core's decision that a request is to move and the
// channel that takes it there.
//
// The agent and the simulator choose with the same code, and it is filters and
// nothing else. An operator's filter comes before it (balancer.SetPeers).
//
// # Vocabulary
//
// The words are those of package policy. A peer's weight is how often it is
// chosen beside others: its speed (places by service time, beside the median's,
// from 1/4 to 4) times what its operator says of it (filters.Weight), from 0.1
// to 10, and the ramp: a peer that was met 10 s ago or less weighs less, from a
// tenth on, so that a server with cold caches is not taken for an idle one. A
// peer is near when it is in this node's zone (filters.Zone): near ones are asked
// alone while as many of them promise a free place as requests wait here, and
// otherwise 4 times as often as others.
//
// # Use
//
//	chooser := choice.New(choice.Config{Core: core, Zone: "a"})
//	...
//	case policy.DoSubmit:
//		for _, s := range chooser.Pick(now, effect, event, sinks) { ... }
//
// # Concurrency
//
// A Chooser asks its core and is asked under the core's lock. It blocks on
// nothing and calls nothing but filters.
//
// # Limits
//
// It looks at every sink that it is given: in a large cluster give it Looked of
// them. It allocates nothing.
//
// The tests need no helper package.
package choice
