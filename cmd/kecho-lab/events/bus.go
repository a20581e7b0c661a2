package events

import (
	"context"
	"fmt"
	"strings"
)

// bus is what events travel on, as one station sees it.
type bus interface {
	// hear has the handler called for each event of the subject, one at a time.
	// The body is lent.
	hear(subject string, handler func(body []byte)) error
	// ready is nil when an event of the subject would come to so many stations.
	ready(subject string, stations int) error
	// publish submits an event. The body is lent. In a flood it waits until all
	// that hear it have room.
	publish(ctx context.Context, subject string, body []byte, flood bool) error
	// flush has all that was published on its way.
	flush() error
}

// What Config.Bus may be, besides a NATS server's URL.
const (
	OverTCP  = "tcp"
	OverQUIC = "quic"
	natsURL  = "nats://"
)

// Queued is the end of the subjects that kecho's sinks hear by a queue and a
// goroutine of the subscription's own, as NATS's clients always do; the others
// they hear on the reader of the link.
const Queued = ".queue"

// open is the bus that cfg says, and where others find it.
func open(ctx context.Context, cfg Config, stopped func(error)) (bus, string, error) {
	switch {
	case strings.HasPrefix(cfg.Bus, natsURL):
		b, err := openNATS(cfg)
		return b, cfg.Bus, err
	case cfg.Bus == OverTCP || cfg.Bus == OverQUIC:
		return openNode(ctx, cfg, stopped)
	}
	return nil, "", fmt.Errorf("bus %q: want tcp, quic or %sHOST:PORT", cfg.Bus, natsURL)
}
