package api

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"kecho/resmgr"
)

// Lease is resources of one node that somebody holds alone, until it expires,
// is released, or its node's agent says that it ends.
type Lease struct {
	// ID names it in the whole cluster, for ever: NODE:FENCE.
	ID string `json:"id"`
	// Request is the id of the request that got it: the Idempotency-Key, or one
	// that the agent drew.
	Request string `json:"request"`
	// Holder is who may renew and release it. It is a name and no secret.
	Holder string `json:"holder"`
	// Node is whose resources they are.
	Node string `json:"node"`
	// Fence rises with each lease of the node, across restarts. What the holder
	// works on refuses a lower one than it has seen.
	Fence   uint64  `json:"fence"`
	Amounts Amounts `json:"amounts"`
	// TTL is how long it lasts from each renewal, as time.ParseDuration reads
	// it.
	TTL string `json:"ttl"`
	// Expires is when the holder must have stopped, by the clock of the agent
	// that answers; Left is how far away that is.
	Expires time.Time `json:"expires"`
	Left    float64   `json:"left_ms"`
}

// Amounts is how much there is of each kind: cpu in processors, mem and disk in
// bytes, net in bytes a second, everything else by number.
type Amounts map[string]float64

// String is the text form that LeaseRequest.Needs has, "cpu=0.5,mem=512Mi".
func (a Amounts) String() string {
	text := ""
	for i, kind := range slices.Sorted(maps.Keys(a)) {
		if i > 0 {
			text += ","
		}
		text += kind + "=" + formatQuantity(kind, a[kind])
	}
	return text
}

func formatQuantity(kind string, n float64) string {
	if k := resmgr.Kind(kind); k != resmgr.CPU {
		return k.Format(resmgr.Quantity(n))
	}
	return resmgr.CPU.Format(resmgr.Quantity(n * 1000))
}

// number is a quantity in the unit of the API.
func number(k resmgr.Kind, q resmgr.Quantity) float64 {
	if k == resmgr.CPU {
		return float64(q) / 1000
	}
	return float64(q)
}

func amountsOf(list resmgr.Amounts) Amounts {
	all := make(Amounts, len(list))
	for _, a := range list {
		all[string(a.Kind)] = number(a.Kind, a.Quantity)
	}
	return all
}

// LeaseRequest asks the cluster for resources. Its text forms are those of the
// command.
type LeaseRequest struct {
	// ID is the caller's name for the request, which travels as Idempotency-Key:
	// who asks again with it within 10 minutes has the same leases and no more.
	// Zero: the agent draws one.
	ID       string `json:"-"`
	Holder   string `json:"holder" minLength:"1" maxLength:"128" doc:"who will have the leases; only the holder renews and releases" example:"job 7"`
	Needs    string `json:"needs" minLength:"1" maxLength:"1024" doc:"what each node must give: KIND=QUANTITY with commas between" example:"cpu=2,mem=512Mi"`
	Nodes    int    `json:"nodes,omitempty" minimum:"1" maximum:"64" doc:"how many different nodes must give it, all or none; 1 unless given"`
	Selector string `json:"selector,omitempty" maxLength:"1024" doc:"tags that the nodes must have; all unless given" example:"zone in (a, b), !spot"`
	Criteria string `json:"criteria,omitempty" enum:"first,nearest,spread,pack,least" doc:"which offers are best: the first (unless given), the shortest round trip, most free, least free, lowest load"`
	TTL      string `json:"ttl,omitempty" maxLength:"32" doc:"how long a lease lasts without a renewal: 1s to 1h, 30s unless given" example:"30s"`
	Wait     string `json:"wait,omitempty" maxLength:"32" doc:"how long to wait in the queues where there is no room now: up to 1h, not at all unless given" example:"1m"`
}

// parse is what the manager is asked; the error is of code Invalid and names
// the field.
func (r LeaseRequest) parse() (resmgr.Request, error) {
	wrong := func(field string, err error) error {
		return &Error{Code: Invalid, Err: err, Detail: fmt.Sprintf("body.%s: %v", field, err)}
	}
	needs, err := resmgr.ParseAmounts(r.Needs)
	if err != nil {
		return resmgr.Request{}, wrong("needs", err)
	}
	selector, err := resmgr.ParseSelector(r.Selector)
	if err != nil {
		return resmgr.Request{}, wrong("selector", err)
	}
	criteria, err := resmgr.ParseCriteria(r.Criteria)
	if err != nil {
		return resmgr.Request{}, wrong("criteria", err)
	}
	ttl, err := parseTime(r.TTL, resmgr.MinTTL, resmgr.MaxTTL)
	if err != nil {
		return resmgr.Request{}, wrong("ttl", err)
	}
	wait, err := parseTime(r.Wait, 0, resmgr.MaxWait)
	if err != nil {
		return resmgr.Request{}, wrong("wait", err)
	}
	return resmgr.Request{
		ID: r.ID, Holder: r.Holder, Needs: needs, Nodes: r.Nodes, Selector: selector, Criteria: criteria, TTL: ttl, Wait: wait,
	}, nil
}

// parseTime reads a duration between two; "" is 0.
func parseTime(text string, least, most time.Duration) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		return 0, fmt.Errorf("%.40q is not a duration from %v to %v, such as 30s", text, least, most)
	}
	return d, nil
}

// LeaseGrant is what a request got: one lease from each node.
type LeaseGrant struct {
	Request string  `json:"request"` // its id
	Leases  []Lease `json:"leases"`
}

// LeaseOffers is what the cluster could give to a request now, best first, and
// why the other nodes could not. Nothing is set aside.
type LeaseOffers struct {
	Items   []LeaseOffer  `json:"items"`
	Reasons []LeaseReason `json:"reasons"`
}

// LeaseOffer is what one node could give.
type LeaseOffer struct {
	Node string `json:"node"`
	// Free and Capacity are of the kinds that were asked for.
	Free     Amounts `json:"free"`
	Capacity Amounts `json:"capacity"`
	// Load is of the node's web server; null when it is not known.
	Load *float64          `json:"load"`
	Trip float64           `json:"trip_ms"` // from asking to hearing of the offer
	Tags map[string]string `json:"tags"`
}

// LeaseReason is why one node does not give what was asked for.
type LeaseReason struct {
	Node string `json:"node"`
	// Code is stable: package resmgr has them all, such as "no_room".
	Code string `json:"code"`
	// Kind is what there is too little of, with the figures; "" when it is not
	// that.
	Kind     string  `json:"kind,omitempty"`
	Need     float64 `json:"need,omitempty"`
	Free     float64 `json:"free,omitempty"`
	Capacity float64 `json:"capacity,omitempty"`
	// Ahead is how many requests wait before this one.
	Ahead  int    `json:"ahead,omitempty"`
	Detail string `json:"detail"` // the same in words
}

// LeaseChange is the data of an EventLease: what happened to a lease that was
// granted, or renewed, through this node.
type LeaseChange struct {
	// Change is granted, released, expired, ended (its node has ended it, or
	// will when its time is over) or lost (its node left or died). After all
	// but the first the holder must have stopped.
	Change string `json:"change"`
	Lease  Lease  `json:"lease"`
	// Reason is why it ended; "" when Change says all.
	Reason string `json:"reason"`
}

// NewLeaseChange is c as it is told; false for one that nobody needs to be
// told of: renewals would leave room for nothing else.
func NewLeaseChange(c resmgr.Change) (LeaseChange, bool) {
	told := LeaseChange{Change: c.Kind.String(), Lease: leaseOf(c.Lease)}
	if c.Kind == resmgr.Ended {
		told.Reason = c.Reason.String()
	}
	return told, c.Kind != resmgr.Renewed
}

func leaseOf(l resmgr.Lease) Lease {
	return Lease{
		ID: l.ID.String(), Request: l.Request, Holder: l.Holder, Node: l.ID.Manager, Fence: uint64(l.ID.Fence),
		Amounts: amountsOf(l.Amounts), TTL: l.TTL.String(),
		Expires: l.Until.Round(0).UTC(), Left: max(0, float64(time.Until(l.Until))/float64(time.Millisecond)),
	}
}

func leasesOf(list []resmgr.Lease) []Lease {
	all := make([]Lease, len(list))
	for i, l := range list {
		all[i] = leaseOf(l)
	}
	return all
}

func offerOf(o resmgr.Offer) LeaseOffer {
	offer := LeaseOffer{
		Node: o.Manager, Free: amountsOf(o.Free), Capacity: amountsOf(o.Capacity),
		Trip: float64(o.Trip) / float64(time.Millisecond), Tags: map[string]string{},
	}
	maps.Copy(offer.Tags, o.Tags)
	if o.Load >= 0 {
		offer.Load = &o.Load
	}
	return offer
}

func reasonsOf(list []resmgr.Reason) []LeaseReason {
	all := make([]LeaseReason, len(list))
	for i, r := range list {
		all[i] = LeaseReason{
			Node: r.Manager, Code: string(r.Code), Kind: string(r.Kind), Need: number(r.Kind, r.Need),
			Free: number(r.Kind, r.Free), Capacity: number(r.Kind, r.Capacity), Ahead: r.Ahead, Detail: r.String(),
		}
	}
	slices.SortStableFunc(all, func(a, b LeaseReason) int { return cmp.Compare(a.Node, b.Node) })
	return all
}
