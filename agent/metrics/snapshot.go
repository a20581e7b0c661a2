package metrics

import "time"

// Snapshot is what the parts of an agent have counted. Counters are totals
// since the start and never fall; maps are keyed by the values of the label
// (see the package comment), and what is missing in one counts as 0.
type Snapshot struct {
	InFlight int // requests at the upstream, of clients and of peers
	Queued   int // requests that wait for a local place

	Overflow          map[string]int64 // by reason
	Copies            map[string]int64 // by result
	DuplicatesDropped int64
	Cancels           int64

	Peers          []Peer
	Members        int // nodes that gossip believes alive, without this one
	Links          int // links that are up
	RejoinAttempts int64

	Channels []Channel
}

// Peer is what was last heard from another node.
type Peer struct {
	Name string
	// Load is its load, 1 is full; nil when it never reported one.
	Load *float64
	// HeardAge is how long ago anything came from it; negative: never.
	HeardAge time.Duration
}

// Channel is what went over one event channel.
type Channel struct {
	Name               string
	Submitted, Arrived int64 // events
	BytesOut, BytesIn  int64
	Drops              map[string]int64 // by reason
}
