package live

import (
	"context"
	"time"
)

// front is what stands before the hosts.
type front interface {
	// start starts it, and returns when it serves.
	start(ctx context.Context) error
	// target is the host:port that a client of a node asks now.
	target(node int) string
	// spent is what it used and sent since it was started.
	spent() (usage, error)
	// stop ends it at once.
	stop()
}

// usage is what a front has used so far.
type usage struct {
	cpu time.Duration
	// messages is, of agents, the events that came in on the data channel.
	messages float64
}

func (u usage) since(v usage) usage {
	return usage{u.cpu - v.cpu, u.messages - v.messages}
}

func (u usage) plus(v usage) usage {
	return usage{u.cpu + v.cpu, u.messages + v.messages}
}
