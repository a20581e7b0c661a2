// Package filters has the stock filters of channels: which sinks an event goes
// to when it is submitted, and which events are let in when they arrive.
//
// # Vocabulary
//
// A filter is a channel.Filter: it is called with an event and its sinks and
// returns the sinks that are left, best first. An OUT-filter runs where an
// event is submitted and picks among the nodes of the channel; an IN-filter
// runs where it arrives and picks among the node's own subscriptions. To drop
// an event is to leave it no sink.
//
// Filters decide by what the sinks say of themselves (Name, Load, Capacity,
// Draining, Weight, Zone; attrs.go), by the event, and by what earlier events
// did:
//
//	RemoteOnly, Taking, Fresh   drop sinks that are out of the question
//	Near                        keeps those of the node's zone, if they will do
//	Thin                        drops some by chance, by weight
//	LeastLoaded                 keeps the n best of those left
//	Sample                      keeps n of them at random
//	Where, None                 keep what a function says, nothing
//	ToOrigin                    sends an answer to who asked
//	Chosen                      sends what follows an event where the event went
//	FirstAnswer                 lets one answer of several in
//	Chain, ByType               put filters together
//
// # Use
//
// Filters compose with Chain and ByType into the two that a channel has; the
// example of the package is the load balancer of the KECho paper (sections 2.3
// and 4). Whatever narrows comes before LeastLoaded, and Chosen.Record comes
// last, for it notes what is left when it runs:
//
//	data.SetOut(filters.ByType(map[channel.Type]channel.Filter{
//		"request": filters.Chain(filters.RemoteOnly, filters.Taking, filters.Fresh(0, nil),
//			filters.LeastLoaded(filters.LeastLoadedConfig{N: 2}), chosen.Record),
//		"answer": filters.ToOrigin,
//		"cancel": filters.Chain(chosen.To, first.Losers),
//	}, nil))
//	data.SetIn(filters.Chain(chosen.From, first.Filter))
//
// # Concurrency
//
// Every filter, and every method of Chosen and FirstAnswer, may be called from
// any number of goroutines at once; none blocks, keeps the event or its sinks,
// or starts a goroutine. Functions that are handed in (Where's keep, the clock
// of Fresh, N and Sent of LeastLoaded) are called on the caller's goroutine,
// outside every lock, and must be as quick and as safe.
//
// # Limits
//
// No filter allocates per event once its tables have grown. LeastLoaded takes
// time in proportion to sinks x n, and Sample with weights too. Chosen and FirstAnswer hold a bounded
// number of entries (65,536 unless told otherwise) and count what does not
// fit. Attributes are peers' claims: LoadIn, CapacityIn and WeightIn bound them.
//
// The tests compare each filter with a naive one of the same meaning; they
// need no helper package.
package filters
