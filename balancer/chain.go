package balancer

import (
	"kecho/channel"
	"kecho/filters"
)

// outFilter picks who gets an event of the data channel: offers and pushes go
// to whom the desk's chooser picks, grants to who claimed, what follows a
// request to where the request went, answers to where it came from.
func (b *Balancer) outFilter() channel.Filter {
	place := func(e *channel.Event, sinks []channel.Sink) []channel.Sink {
		if left, ok := b.calls.addressed(e, sinks); ok {
			return left
		}
		return b.desk.choose(e, sinks)
	}
	withdrawn := func(e *channel.Event, sinks []channel.Sink) []channel.Sink {
		left, _ := b.calls.addressed(e, sinks)
		return left
	}
	follow := filters.Chain(b.chosen.To, filters.Where(b.calls.follows))
	return filters.ByType(map[channel.Type]channel.Filter{
		typeOffer: b.desk.choose, typeWithdraw: withdrawn,
		typeRequest:     filters.Chain(place, b.chosen.Record, b.calls.note),
		typeRequestBody: follow, typeCredit: follow, typeCancel: follow,
	}, filters.ToOrigin)
}

// inFilter lets in the offers that an operator's filter leaves, claims that find
// their request waiting, and what peers say about this node's calls only from
// those that were asked, and of several answers only the first.
func (b *Balancer) inFilter() channel.Filter {
	answer := filters.Chain(b.chosen.From, b.first.Filter)
	return filters.ByType(map[channel.Type]channel.Filter{
		typeOffer: b.offerRules.filter,
		typeClaim: filters.Where(b.claimable),
		typeBegun: b.chosen.From, typeHint: b.chosen.From, typeTaken: b.chosen.From, typeQueued: b.chosen.From, typeBusy: b.chosen.From, typeRead: b.chosen.From, typeFailed: b.chosen.From,
		typeAnswer: answer, typeAnswerBody: answer,
	}, nil)
}
