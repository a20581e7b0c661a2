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

// takes looks at each attribute once: this runs for every sink.
func takes(attrs channel.Attrs) bool {
	for i := range attrs {
		one := attrs[i : i+1]
		switch attrs[i].Name {
		case string(Capacity):
			if places, ok := CapacityIn(one); ok && places == 0 {
				return false
			}
		case string(Weight):
			if WeightIn(one) == 0 {
				return false
			}
		case string(Draining):
			if draining, _ := Draining.In(one); draining {
				return false
			}
		}
	}
	return true
}
