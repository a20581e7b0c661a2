package resmgr

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"kecho/channel"
	"kecho/resmgr/syntax"
)

// Fence is a number that rises with each grant of one manager, for ever, across
// restarts: of two leases of one manager the one with the higher fence is the
// later. A holder gives it to what it works on, which refuses lower ones than it
// has seen.
type Fence uint64

// MaxFence is the highest that a peer is believed: 2^53, up to which JSON's
// numbers are whole everywhere. To have been seen is believed up to half of it,
// so that whoever heard a wrong number still has fences to give. The clock's
// milliseconds are far below both.
const MaxFence Fence = 1 << 53

// LeaseID names a lease in the whole cluster, for ever: the manager that granted
// it and the fence, such as "web1:17".
type LeaseID struct {
	Manager string
	Fence   Fence
}

// String is the manager, a colon and the fence.
func (id LeaseID) String() string { return id.Manager + ":" + strconv.FormatUint(uint64(id.Fence), 10) }

// Compare orders ids by manager and then by fence.
func (id LeaseID) Compare(other LeaseID) int { return compareLeaseIDs(id, other) }

// IsZero reports whether id names no lease.
func (id LeaseID) IsZero() bool { return id == LeaseID{} }

// ParseLeaseID reads what LeaseID.String writes.
func ParseLeaseID(s string) (LeaseID, error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || checkManager(s[:i]) != nil {
		return LeaseID{}, fmt.Errorf("lease id %.150q: want MANAGER:FENCE, such as web1:17", s)
	}
	n, err := strconv.ParseUint(s[i+1:], 10, 64)
	if err != nil || n == 0 || s[i+1] == '+' {
		return LeaseID{}, fmt.Errorf("lease id %.150q: the fence after the last colon is not a number above 0", s)
	}
	return LeaseID{s[:i], Fence(n)}, nil
}

// checkManager refuses what a manager cannot be called: it stands in ids,
// tables and log lines.
func checkManager(name string) error {
	if name == "" || len(name) > MaxTag || syntax.SpanOf(name, tagBytes) != len(name) {
		return fmt.Errorf("manager's name %.80q: want 1 to %d letters, digits and \"._-:/\"", name, MaxTag)
	}
	return nil
}

// Lease is what one manager has granted to one holder.
type Lease struct {
	ID      LeaseID
	Request string // its id
	Holder  string
	Node    channel.NodeID // whose manager granted it; 0: not known to be there now
	Amounts Amounts
	TTL     time.Duration
	// Until is when the holder must have stopped, unless it renews. The holder's
	// side counts it from before it asked, so it is never later than when the
	// manager gives the resources to somebody else.
	Until time.Time
}

// Grant is what a request got: one lease from each of its nodes.
type Grant struct {
	Request string // its id, drawn when there was none
	Leases  []Lease
}

// Offer is what one manager could give to a request. It holds the resources for
// a short time (HoldTime); a dry run gives them back at once.
type Offer struct {
	Manager  string
	Node     channel.NodeID
	Free     Amounts       // of the kinds that are asked for, the offer's own part included
	Capacity Amounts       // of them
	Load     float64       // of the node's web server; negative: not known
	Trip     time.Duration // from asking to hearing of the offer
	Tags     Tags
}

// freeShare is the share of the scarcest kind that is free.
func (o Offer) freeShare() float64 {
	least := 1.0
	for _, c := range o.Capacity {
		least = min(least, float64(o.Free.Of(c.Kind))/float64(c.Quantity))
	}
	return least
}

// HoldTime is how long an offer sets its resources aside (docs/design.md,
// "Limits").
const HoldTime = 2 * time.Second
