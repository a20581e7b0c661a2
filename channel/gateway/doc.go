// Package gateway joins two clusters: what is submitted on a shared channel in
// one of them reaches those who want it in the other.
//
// # Vocabulary
//
// A Gateway is a member of both clusters, with a node (channel.Node) in each. A
// Share is a channel that it joins. Each share has a flow in each direction that
// is allowed, from one cluster to the other; the far side of a flow is the one
// that it goes to. Clusters have names, which are unique among all that are
// joined, however indirectly; the path of an event is the names of those that it
// has passed, and that of an interest the names of those between.
//
// # Use
//
//	g, err := gateway.New(gateway.Config{
//		Clusters: [2]string{"east", "west"},
//		Shares:   []gateway.Share{{Channels: [2]*channel.Channel{east, west}}},
//	})
//	err = g.Run(ctx) // until ctx is done
//
// The channels are open on the gateway's node of each cluster; whoever opened
// them closes them, after Run.
//
// # What is forwarded
//
// A flow wants in its first cluster what is wanted in the second: the disjunction
// of the interests of all nodes there, as TAO's gateways do ("The Design and
// Performance of a Real-time CORBA Event Service", 4.3), by type and source, and
// kept up to date. While nothing is wanted it is no sink of the channel. An
// event is sent to those nodes that want it and to no others. It keeps its ID,
// attributes, priority, what its source's node describes itself with, and the
// time that is left of its deadline.
//
// # Loops, and several gateways
//
//   - Interests are told with their paths, and a gateway tells none of a path
//     that leads back. So no interest keeps itself alive in a ring after who had
//     it is gone, and no event is sent where it has been.
//   - An event does not enter a cluster that is on its path, nor one more than
//     Config.Hops.
//   - Gateways between the same two clusters share the work: each forwards the
//     events of those sources for which it has the highest rank (rendezvous
//     hashing) among those that reach who wants them. When one is lost its
//     share falls to the others as soon as its links are down; what it had on
//     its way is lost, since channels deliver at most once.
//   - What comes by two ways all the same, in a ring or while gateways do not see
//     each other, is dropped by each node that has had it.
//
// Events of one source and priority stay in order, but for two cases: when one
// gateway takes over from another, and, where they come by two ways, for two
// events that arrive by both at the same moment.
//
// # Requests
//
// A request (channel.Channel's Request) is forwarded like any event. The gateway
// gathers the answers there and gives each to who has asked, whatever the directions
// that are shared; who asks waits for the gateway as for any sink, until it says that
// it has all, and apart from that for an application on the gateway's own node, if
// there is one.
//
// # Concurrency
//
// Urgent and normal events are forwarded on the goroutine that brings them, and
// refused where a link's queue is full. Bulk events wait in a queue for each
// flow, from which one goroutine forwards them; it waits for room in the links.
// Another keeps the flow's interests up to date, and each request that is under way
// has one. Run owns them all and has ended them when it returns.
//
// # Limits
//
// MaxHops clusters; MaxQueue bulk events or MaxQueueBytes wait for each flow, and
// MaxRequests requests to be forwarded, of which channel.MaxRequests are under way; of
// a channel's interests what package channel says (MaxInterests). A bulk event
// waits for the links at most BulkWait.
//
// # Testing
//
// With nodes of channeltest; package agent's tests join whole clusters.
package gateway
