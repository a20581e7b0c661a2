package filters

import "kecho/channel"

// Where keeps the sinks that keep returns true for, in their order. Both
// arguments of keep are lent and must not be written to.
func Where(keep func(e *channel.Event, s *channel.Sink) bool) channel.Filter {
	return func(e *channel.Event, sinks []channel.Sink) []channel.Sink {
		kept := sinks[:0]
		for i := range sinks {
			if keep(e, &sinks[i]) {
				kept = append(kept, sinks[i])
			}
		}
		return kept
	}
}
