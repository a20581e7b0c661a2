package filters

import (
	"maps"

	"kecho/channel"
)

// ByType runs the filter that table has for the event's type, and otherwise
// for types that are not in it. A nil filter, in the table or as otherwise,
// keeps every sink. The table is copied.
func ByType(table map[channel.Type]channel.Filter, otherwise channel.Filter) channel.Filter {
	table = maps.Clone(table)
	return func(e *channel.Event, sinks []channel.Sink) []channel.Sink {
		f, ok := table[e.Type]
		if !ok {
			f = otherwise
		}
		if f == nil {
			return sinks
		}
		return f(e, sinks)
	}
}
