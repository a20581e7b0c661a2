package filters

import "kecho/channel"

// NearConfig says what is near and when that will do.
type NearConfig struct {
	// Zone is this node's. Zero: it is in none, and every sink is kept.
	Zone string
	// Enough reports whether the sinks of this zone will do for e; near has at
	// least one, is lent and must not be written to. When they will not, far
	// ones are kept as well. Nil: they always do.
	Enough func(e *channel.Event, near []channel.Sink) bool
}

// Near keeps the sinks of this node's zone (Zone) when there are any and they
// will do, and otherwise all, those of the zone first: near if it can be had,
// far before nobody.
func Near(cfg NearConfig) channel.Filter {
	if cfg.Zone == "" {
		return nil
	}
	return func(e *channel.Event, sinks []channel.Sink) []channel.Sink {
		n := 0
		for i := range sinks {
			if zone, _ := Zone.In(sinks[i].Attrs); zone == cfg.Zone {
				sinks[n], sinks[i] = sinks[i], sinks[n]
				n++
			}
		}
		if n == 0 || cfg.Enough != nil && !cfg.Enough(e, sinks[:n]) {
			return sinks
		}
		return sinks[:n]
	}
}
