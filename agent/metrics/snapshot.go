package metrics

import "time"

// Snapshot is what the parts of an agent have counted. Counters are totals
// since the start and never fall; maps are keyed by the values of the label,
// of which only those that are present are shown.
type Snapshot struct {
	InFlight int // requests at the upstream, of clients and of peers
	Queued   int // requests that wait for a local place
	Soft     int // the soft limit, learned or given
	// Websockets are the clients' that are open, here or at peers.
	Websockets int

	// OverflowRaised says that requests go elsewhere although there are places.
	OverflowRaised bool

	Crossings map[string]uint64 // of thresholds, by state
	Told      map[string]uint64 // crossings whose event or webhook was due, by result

	Overflow          map[string]uint64 // by reason
	Copies            map[string]uint64 // by result
	DuplicatesDropped uint64
	Cancels           uint64
	Moves             map[string]uint64 // what is said before a request moves, by how
	Control           uint64            // messages that carry no request
	Wasted            time.Duration     // that the upstream worked for peers in vain
	Ejections         uint64            // of peers that failed
	Ejected           int               // peers that are left alone now
	Sick              bool              // the upstream fails, and nothing is taken from peers
	UpstreamUp        bool
	Checks            map[string]uint64 // of the upstream's health, by result

	Connections Connections

	Leases *Leases // nil: the node has no part in the resource group

	Peers          []Peer
	Members        int // nodes that gossip believes alive, without this one
	Links          int // links that are up
	RejoinAttempts uint64

	Channels []Channel
	Flows    []Flow // over this node's gateway
	PerLink  []Link // what went over the link to each peer
}

// Peer is what was last heard from another node.
type Peer struct {
	Name string
	// Load is its load, 1 is full; nil when it never reported one.
	Load *float64
	// HeardAge is how long ago anything came from it; negative: never.
	HeardAge time.Duration
}
