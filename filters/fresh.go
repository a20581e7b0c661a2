package filters

import (
	"time"

	"kecho/channel"
)

// DefaultMaxAge is how long a load report is worth something
// (docs/design.md, "Limits"): a node reports at least every second, so this is two lost in a row.
const DefaultMaxAge = 3 * time.Second

// Fresh drops the sinks whose node was not heard within maxAge (zero:
// DefaultMaxAge). Local sinks are always fresh. Age is counted on this node's
// clock, now (nil: time.Now), from the moment of hearing; it is read once for
// each event.
func Fresh(maxAge time.Duration, now func() time.Time) channel.Filter {
	if maxAge == 0 {
		maxAge = DefaultMaxAge
	}
	if now == nil {
		now = time.Now
	}
	return func(_ *channel.Event, sinks []channel.Sink) []channel.Sink {
		at := now()
		kept := sinks[:0]
		for i := range sinks {
			if sinks[i].Local || at.Sub(sinks[i].Heard) <= maxAge {
				kept = append(kept, sinks[i])
			}
		}
		return kept
	}
}
