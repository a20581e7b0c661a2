package filters

import "kecho/channel"

// RemoteOnly drops the sinks of this node: what is forwarded must not come
// straight back.
func RemoteOnly(_ *channel.Event, sinks []channel.Sink) []channel.Sink {
	kept := sinks[:0]
	for i := range sinks {
		if !sinks[i].Local {
			kept = append(kept, sinks[i])
		}
	}
	return kept
}
