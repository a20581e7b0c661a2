package filters

import "kecho/channel"

// Taking drops the sinks that say that they take nothing: capacity 0 (or
// below), weight 0, or draining. One that says nothing takes.
func Taking(_ *channel.Event, sinks []channel.Sink) []channel.Sink {
	kept := sinks[:0]
	for i := range sinks {
		if takes(sinks[i].Attrs) {
			kept = append(kept, sinks[i])
		}
	}
	return kept
}

func takes(attrs channel.Attrs) bool {
	if places, ok := CapacityIn(attrs); ok && places == 0 {
		return false
	}
	if WeightIn(attrs) == 0 {
		return false
	}
	draining, _ := Draining.In(attrs)
	return !draining
}
