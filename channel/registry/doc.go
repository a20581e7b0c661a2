// Package registry is the membership of a cluster by gossip: which nodes exist,
// how their links are reached and which channels they have open. It implements
// channel.Registry with serf.
//
// # Vocabulary
//
// A peer is another node. A seed is an address at which some member may be
// found. An announcement is the list of channels that a node has open. A life of
// a node has one id (channel.NodeID); a node that restarts keeps its name and
// gets another id, and is a new member: the old id disappears at that moment.
//
// # Use
//
//	r, err := registry.New(registry.Config{
//		Name: "web2", ID: channel.NewNodeID(),
//		Bind: "10.0.0.2:7946", LinkAddr: "10.0.0.2:7947",
//		Seeds: []string{"web1"}, Key: key,
//	})
//	go r.WatchPeers(ctx, pool.SetPeers)
//	err = r.Run(ctx) // until ctx is done, then leaves
//
// # Who exists, and who does not
//
// Gossip is not health: it takes 5 s to see that a node was killed, and never
// sees that one pair of nodes cannot reach each other. So a peer that gossip
// believes to have failed stays in Watch; whoever wants to use it asks its
// link. A peer that left goes at once.
//
//   - Seeds that are not live members are joined for ever: again after 1 s, 2 s
//     and so on up to Config.RejoinEvery, and at once when a peer is lost. Names
//     are resolved each time.
//   - Three of the nodes also try the failed peers every 2 s, so the halves of a
//     split network find each other, with seeds or without.
//   - Each answer to a probe carries its node's id and whether it knows anybody.
//     A restarted peer that answers under its old membership is so found out
//     within about a second, and told of all others.
//   - A name belongs to who has it and answers. A second node that joins with it
//     is not let in; it asks the holder directly, and ends with ErrNameTaken if
//     that one answers. If it does not, the newcomer waits until the cluster has
//     given the holder up, some 5 s, and takes its place. serf's own resolution
//     is off: it may end the node that was there first.
//   - Only nodes of the same cluster label, gossip key and protocol version
//     become members.
//
// # Concurrency
//
// All methods may be called from any goroutine, before, during and after Run.
// Watch and WatchPeers call back on their own goroutine and hold no lock; a slow
// one misses intermediate states, never the last. Run ends all goroutines that
// serf began: serf itself does not wait for a probe that is on its way when it
// is shut down, so Run does, one probe interval (0.5 s) if there are peers. Inside
// a synctest bubble, over a memnet transport, nothing blocks that is not durably
// blocked, and waiting costs no time.
//
// # Limits
//
// All tags of a node are at most 512 bytes (memberlist's limit): the id, the
// addresses, Config.Tags up to 96, and the channel names that fit beside them.
// Failed peers are kept for 10 minutes, those that left for 5. Leaving takes
// 2 s, at most 4. A cluster of 16 that starts at once knows itself within
// 0.3 s, a changed announcement is everywhere within 1 s, a killed node is seen
// after 5 s (LAN, measured in the suite's bubbles). Two nodes that took the same
// name in two halves of a network that never met both go on when they meet, and
// both warn.
//
// # Tests
//
// channel/channeltest has the suite that this and any other registry passes,
// over channel/memnet.
package registry
