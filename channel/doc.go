// Package channel lets the nodes of a cluster meet on event channels: who
// submits an event does not know who receives it, and nobody knows addresses.
//
// # Vocabulary
//
// A Node is one member of the cluster. It opens a Channel by name; the other
// nodes that have the channel of that name open are its sinks. A source
// submits an Event, which has a type, a priority, perhaps a deadline, typed
// attributes (Key, Attr) and a body. A Subscription hands the events that
// Match to a Handler. An OUT-filter runs where an event is submitted and picks
// the sinks; an IN-filter runs where it arrives and picks the subscriptions.
// A subscription that is suspended gets nothing; a node of which all
// subscriptions to a channel are suspended is no sink of it for the others.
// A node describes itself with attributes; they travel on each event that it
// submits, so that its peers' filters see them on its Sink.
//
// Clusters are joined by gateways (package gateway). Forward is a gateway's Submit:
// the event keeps its ID and says in its Path which clusters it has passed. An
// Interest is what somebody wants of a channel, by type and source; nodes tell
// theirs to who asks by WatchInterests.
//
// A Request is an event to which sinks give answers by Reply; they are gathered
// for the source, which does not know whom it asks.
//
// Links carry frames between nodes and the Registry knows which nodes there
// are: both are interfaces here and packages of their own, link and registry.
//
// # Use
//
//	node, err := channel.New(channel.Config{Links: links, Registry: registry})
//	go node.Run(ctx)
//	work, err := node.Open("work")
//	work.SetOut(leastLoaded)
//	sub, err := work.Subscribe(channel.Match{Type: "job"}, func(e *channel.Event) { ... })
//	id, err := work.Submit(ctx, channel.Event{Type: "job", Body: body})
//
// SubscribeWith has the rules that a subscription may need beside: a priority,
// the bound of its queue and what happens when it is full; a correlation, which
// hands over sets of events that satisfy its terms together; an interval and a
// watchdog. They are TAO's ("The Design and Performance of a Real-time CORBA
// Event Service", 4.2). Who sets none of them does not pay for them.
//
// Read event.go and attr.go first, then channel.go from Submit to receive,
// then peers.go, where frames arrive. spec.md is what travels.
//
// # Delivery
//
// An event arrives at most once. Events of one source, channel and priority
// arrive in the order in which they were submitted; there is no other order. What
// is urgent overtakes in the queues of links and of subscriptions.
// Submit says whether a link took the event, not whether it arrived. The time
// that an event waits in the source's own queues is not taken off the time
// left that it carries. When an event's deadline passes while it waits, in the
// queue of a link or of a subscription, it is dropped there, makes room, and is
// counted (link.Flow.Late, Stats.Late).
//
// The queue of a link that is full refuses what is urgent or normal, and has bulk
// wait, until the context or the deadline of its Submit ends. What a subscription
// does with what its own queue has no room for it says itself (WhenFull); it is not
// heard of by who submits, and holds up nobody.
//
// An event from another cluster is taken once by each node even when it comes by
// several ways. For that the last events of each source and priority are
// remembered, of each node that brings them for itself: the last 64 as they are,
// and of some 16,000 before how many came between which numbers. One that comes
// by another way and may have been among those is dropped (Stats.Repeated), though
// no more of them than twice those that came. So a node that sends events in the name of
// a foreign source cannot silence it: each costs the source two at most.
//
// # Concurrency
//
// Every method of Node, Channel and Subscription may be called by any
// goroutine, inside handlers, filters and callbacks too. Run owns all
// goroutines: those of the links and the registry, one for the timeouts of all
// subscriptions, one that tells interests, and one for each subscription whose queue is not empty. Nothing is handled before Run but by
// inline handlers.
//
// Filters and inline handlers run on the goroutine that submits or on the
// reader of the link, several at once; queued handlers one at a time for each
// subscription. None of them, and no callback of Watch, is called with a lock
// held. Submit and Receive take no lock: channels, peers, subscriptions and
// filters are read from immutable snapshots, so an event sees the old filter
// or the new one.
//
// The locks are, in this order, Node.mu (who is there), Channel.mu (who
// watches), and those of the notifiers and the subscriptions, and of the
// workers and the timers, which are taken last and one at a time.
//
// # Limits
//
// See MaxName to MaxFrame for events, MaxChannels for a node, MaxQueue and
// MaxQueueBytes for what waits for a handler unless its subscription says
// otherwise, MaxDepth and MaxList for what
// Unpack takes. All are checked on submit, and again, before anything is
// allocated, on what peers send; a peer that exceeds them loses its link.
//
// Finding an event's subscriptions takes the same time whatever their number,
// and so does subscribing. Suspending costs a flag, but the last one of a
// channel, and its resumption, cost a message to each peer.
//
// MaxInterests and MaxInterestTerms bound what is told of interests, MaxPath how many
// clusters an event passes.
//
// MaxRequests and MaxAnswers bound what waits for answers. A sink that has no
// subscription for a request says so and is not waited for.
//
// Submitting costs time in proportion to the number of sinks even when the
// OUT-filter discards them all: about 25 ns each. Encoding and decoding a head
// do not allocate, except one block when a source's description changes.
//
// # Testing
//
// Package channeltest has nodes that are linked in memory, a recorder, and the
// conformance suites for Links and Registry; package memnet is a network in
// memory with faults.
package channel
