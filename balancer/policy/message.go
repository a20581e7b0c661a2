package policy

import "time"

// Peer is a node as its peers know it; zero is no peer. It is opaque, and
// another one after a restart, so that nothing that was said to its past is
// taken for its present.
type Peer uint64

// Kind is what a Message says.
type Kind uint8

// What owner and peer say to each other about one request.
const (
	// Offer: the owner has a request that waits; claim it when you have a
	// place free.
	Offer Kind = iota + 1
	// Claim: the peer has a place free for what it was offered.
	Claim
	// Grant: the request itself, for the one that claimed it.
	Grant
	// Deny: the claim came too late.
	Deny
	// Cancel: the owner needs nothing any more.
	Cancel
	// Push: the request itself, unasked; refuse it if it would wait longer
	// than MaxWait.
	Push
	// Refuse: the peer has not begun what it was pushed or granted, and will
	// not.
	Refuse
	// Started: the peer's web server has it.
	Started
	// Queued: the peer has it and it waits there.
	Queued
)

// String is the kind's name in lower case.
func (k Kind) String() string {
	return [...]string{"nothing", "offer", "claim", "grant", "deny", "cancel", "push", "refuse", "started", "queued"}[k]
}

// Message is what travels between two cores about one request.
type Message struct {
	Kind Kind
	// ID is the request's at its owner, which is the sender of Offer, Grant,
	// Deny, Cancel and Push, and the receiver of the others.
	ID uint64
	// Epoch rises each time that the owner takes the request back, so that
	// what is said of an earlier try is known for that.
	Epoch uint32
	// Age is how long the client has waited and Left how long it will, in
	// Offer, Grant and Push. No two clocks are compared.
	Age, Left time.Duration
	// Class is the request's, in Offer, Grant and Push.
	Class Class
	// Bytes is what the request holds in memory here while it waits, in Grant,
	// Push and a tied Offer: the receiving driver's to set.
	Bytes int64
	// MaxWait is how long the request may wait at the peer, in Push.
	MaxWait time.Duration
	// Report is the sender's load: it rides on every message.
	Report Report
	// Tied says that the request waits in other places too and belongs to the
	// first that begins it, so that a Started must be sent at once. An Offer that
	// is tied has the request with it: the peer begins it when it has a place
	// free, instead of claiming it.
	Tied bool
	// Data is the drivers', in Grant, Push and a tied Offer: it becomes the
	// guest's. What a core says of such a guest has it too.
	Data any
}

// Report is what a node says of itself.
type Report struct {
	// Load is (running + queued) / places; see filters.Load.
	Load float64
	// Places is how many requests run at once; 0: nothing is taken.
	Places int
	// Service is the mean time that its web server takes for a request.
	Service time.Duration
}

// possible reports whether a node can be as r says. A load that is not a number
// compares false.
func (r Report) possible() bool {
	return r.Load >= 0 && r.Load <= 1e6 && r.Places >= 0 && r.Places <= 1e6 && r.Service >= 0 && r.Service <= time.Hour
}

// room reports whether a place is free at the node that reported r.
func (r Report) room() bool { return r.Places > 0 && r.Load*float64(r.Places)+1 <= float64(r.Places) }

// Wait is how long one more request would wait at the node that reported r,
// when sent are on their way there that r does not count.
func (r Report) Wait(sent int) time.Duration {
	if r.Places <= 0 {
		return 1 << 62
	}
	ahead := r.Load*float64(r.Places) + float64(sent) - float64(r.Places) + 1
	return time.Duration(max(ahead, 0) * float64(r.Service) / float64(r.Places))
}
