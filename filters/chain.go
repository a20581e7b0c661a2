package filters

import (
	"slices"

	"kecho/channel"
)

// Chain runs fs in order, each on what the one before left, and stops as soon
// as no sink is left: later filters do not see the event. Nil filters are
// skipped; a chain of none keeps every sink.
func Chain(fs ...channel.Filter) channel.Filter {
	fs = slices.DeleteFunc(slices.Clone(fs), func(f channel.Filter) bool { return f == nil })
	return func(e *channel.Event, sinks []channel.Sink) []channel.Sink {
		for _, f := range fs {
			if len(sinks) == 0 {
				break
			}
			sinks = f(e, sinks)
		}
		return sinks
	}
}

// None leaves no sink: the event goes nowhere. It is for ByType.
func None(_ *channel.Event, sinks []channel.Sink) []channel.Sink { return sinks[:0] }
