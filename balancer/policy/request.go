package policy

import "time"

// Request is one request at a Core. What is exported is the driver's to set
// before Arrive; all else belongs to the Core. It may be used again once the
// Core is done with it: after Finish if it has a place here, else after
// Answered, Leave, DoShed, DoFail and DoExpire.
type Request struct {
	// Number is what the driver calls the request, another for each of its own;
	// zero: the core draws one. It is the ID of every message about it.
	Number uint64
	// Movable says that a peer may serve the request.
	Movable bool
	// Repeatable says that it may be begun twice: it is idempotent.
	Repeatable bool
	// Large says that its body is not worth sending for a refusal: over
	// 64 KiB, or of unknown length. It is offered, never pushed.
	Large bool
	// Class is how urgent it is. Zero: as usual.
	Class Class
	// Bytes is what it holds in memory while it waits.
	Bytes int64
	// Light says that its body is whole and small, at most 16 KiB: it may travel
	// with an offer.
	Light bool
	// Timeout is how long its client waits. Zero: Config.Timeout.
	Timeout time.Duration
	// Data is the driver's; a guest has its Message's.
	Data any

	id       uint64
	epoch    uint32
	owner    Peer // zero: this node
	phase    phase
	arrived  time.Duration // at the owner, on the clock here
	key      time.Duration // its place in the queue: older first
	deadline time.Duration
	due      time.Duration // when time alone changes something
	slot     [4]int        // in the heap of each kind, from 1; 0: not in it
	beside   int           // in flight at the web server when it began, this one among them

	// Of an own request.
	notBefore time.Duration // not started here before: a faster peer may claim it
	look      time.Duration // when to look for a peer again
	asked     []Peer        // have a live offer
	tried     []Peer        // are not asked again in this epoch
	tries     int           // pushes
	refused   int           // pushes and grants
	rounds    int           // of offers
	copies    []duplicate   // at peers
	repeats   int           // after what was begun and lost, or failed here
	raced     bool          // copies were sent as soon as it came, or could not be
	paid      int           // copies that the budget has paid and that are not sent yet
	returns   int           // no peer had a place for it: Paper
	begun     time.Duration // first, in this epoch; 0: not that is known
	first     Peer          // that began it
	backup    time.Duration // when it gets one; 0: not
	backups   int           // looked for
	over      bool          // answered, or its client is gone; it still has a place here

	// tied says that its copies end when the first is begun.
	tied bool

	// Of a guest.
	holds bool // a place is kept for the answer to the claim
	loose bool // claimed without keeping a place
	owed  bool // claimed, and its owner has not answered in time
	kept  bool // counts against what its owner may have waiting here
	// aborted says that DoAbort was said.
	aborted bool
}

// ID is the request's number at its owner.
func (r *Request) ID() uint64 { return r.id }

// Epoch is how often the owner took the request back.
func (r *Request) Epoch() uint32 { return r.epoch }

// Owner is the peer that a guest belongs to; zero for an own request.
func (r *Request) Owner() Peer { return r.owner }

// phase is where a request is.
type phase uint8

const (
	absent      phase = iota // not in the core
	queued                   // waits for a place here
	asking                   // own: the driver picks whom it is pushed to
	moved                    // own: only at peers
	placeholder              // guest: offered, not claimed
	claimed                  // guest: claimed, not answered
	running                  // at the web server here
)
