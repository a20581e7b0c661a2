package filters

import "kecho/channel"

// ToOrigin sends an answer to who asked: it keeps the sink of the node that
// submitted the event which e answers (e.Re). An event that answers nothing
// goes nowhere, for no node has the id 0.
func ToOrigin(e *channel.Event, sinks []channel.Sink) []channel.Sink {
	kept := sinks[:0]
	for i := range sinks {
		if sinks[i].Node == e.Re.Source {
			kept = append(kept, sinks[i])
		}
	}
	return kept
}
