package sim

import (
	"time"

	"kecho/balancer/policy"
)

// job is one request of a client.
type job struct {
	policy.Request
	arrived time.Duration
	size    time.Duration
	node    int           // its owner
	began   time.Duration // last
	starts  int
	away    bool // began last at a peer
	over    bool
	run     uint64        // that may finish: the limits
	way     time.Duration // of the answer: p2c and least
}
