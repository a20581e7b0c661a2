package balancer

import (
	"sync"
	"time"

	"kecho/channel"
	"kecho/filters"
)

// reportValid is how long what a peer said of itself counts.
const reportValid = 3 * time.Second

// outFilter picks who gets an event of the data channel: requests go to the
// least loaded, what follows a request to where the request went, answers to
// where it came from.
func (b *Balancer) outFilter() channel.Filter {
	request := filters.Chain(
		filters.RemoteOnly,
		filters.Taking,
		filters.Fresh(reportValid, time.Now),
		filters.Where(b.mayAsk),
		filters.LeastLoaded(filters.LeastLoadedConfig{Sent: b.calls.sentTo}),
		b.chosen.Record,
		b.calls.note,
	)
	follow := filters.Chain(b.chosen.To, filters.Where(b.calls.follows))
	return filters.ByType(map[channel.Type]channel.Filter{
		typeRequest: oneByOne(request), typeRequestBody: follow, typeCredit: follow, typeCancel: follow,
	}, filters.ToOrigin)
}

// oneByOne runs f for one event at a time: between the look at what peers were
// sent and the note of what they are sent now, nobody else may look.
func oneByOne(f channel.Filter) channel.Filter {
	var mu sync.Mutex
	return func(e *channel.Event, sinks []channel.Sink) []channel.Sink {
		mu.Lock()
		defer mu.Unlock()
		return f(e, sinks)
	}
}

// inFilter lets in what peers say about this node's calls only from those
// that were asked, and of several answers only the first.
func (b *Balancer) inFilter() channel.Filter {
	answer := filters.Chain(b.chosen.From, b.first.Filter)
	return filters.ByType(map[channel.Type]channel.Filter{
		typeTaken: b.chosen.From, typeBusy: b.chosen.From, typeRead: b.chosen.From, typeFailed: b.chosen.From,
		typeAnswer: answer, typeAnswerBody: answer,
	}, nil)
}

// mayAsk says whether a peer can be asked to serve a request: it was not
// asked before, has not failed lately, and reports room beyond what it has
// been sent since.
func (b *Balancer) mayAsk(e *channel.Event, s *channel.Sink) bool {
	places, known := filters.CapacityIn(s.Attrs)
	load, reported := filters.LoadIn(s.Attrs)
	return b.calls.mayAsk(e.ID, s.Node, limit{
		pending: b.cfg.PerPeer,
		unheard: sendRoom(load, places, known && reported),
		left:    s.Heard.Add(-b.lag(s.Node)),
		now:     b.gate.now(),
	})
}

// lag is how long ago at most what is heard of a peer left it, as far as a
// request that is sent to it meanwhile is concerned: a round trip, and a
// millisecond for the two processes.
func (b *Balancer) lag(peer channel.NodeID) time.Duration {
	const processes = time.Millisecond
	if b.cfg.RTT == nil {
		return processes
	}
	return b.cfg.RTT(peer) + processes
}

// sendRoom is how many requests a peer can be sent beyond those that its load
// counts already: none above the places that it has free.
func sendRoom(load float64, places int64, known bool) int {
	if !known {
		return 1 // try it: it answers busy if it is
	}
	return int(float64(places)*(1-min(load, 1)) + 0.5)
}
