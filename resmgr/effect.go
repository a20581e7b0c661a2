package resmgr

import (
	"time"

	"kecho/channel"
)

// Do says what an Effect asks of the driver.
type Do uint8

const (
	// DoSend: Message goes to the node To. Whether it arrives is not known.
	DoSend Do = iota
	// DoSubmit: Message, a request, goes to every node of the group that an
	// OUT-filter leaves, with Everyone to every node that is there; then
	// Asker.Asked is told where it went.
	DoSubmit
	// DoWrite: Record goes to the journal of Message.Manager, in the order of
	// Seq; then Granter.Written says how it went.
	DoWrite
	// DoDone: Asking, or Call, has its result.
	DoDone
	// DoChange: Change happened to a lease of this node's clients.
	DoChange
)

// Effect is one thing that a Granter or an Asker wants done, in order.
type Effect struct {
	Do       Do
	To       channel.NodeID
	Everyone bool
	Message  Message
	Seq      uint64
	Record   Record
	Asking   *Asking
	Call     *Call
	Change   Change
}

// Record is one entry of a manager's journal.
type Record struct {
	Kind    RecordKind
	Fence   Fence
	Ask     channel.ID
	Request string
	Holder  string
	Amounts Amounts
	TTL     time.Duration
}

// RecordKind says what a Record does to what the journal holds.
type RecordKind uint8

const (
	// RecordLease keeps a lease under its fence, also when one is there, and
	// the fence as the manager's highest.
	RecordLease RecordKind = 1 + iota
	// RecordEnd takes the lease of the fence out, if it is there.
	RecordEnd
	// RecordFence keeps the fence as the manager's highest, if it is higher.
	RecordFence
	// RecordBehind keeps the fence so too, and notes that there may be leases
	// which the journal does not have.
	RecordBehind
	// RecordWhole takes that note away.
	RecordWhole
)

// Recovered is what a journal holds of one manager.
type Recovered struct {
	Fence  Fence    // the highest that it gave
	Behind bool     // there may be leases that are not in Leases
	Leases []Record // of kind RecordLease, in any order
}

// Apply is what r does to what the journal holds: what every journal means.
// Leases are kept in the order of their fences.
func (s *Recovered) Apply(r Record) {
	s.Fence = max(s.Fence, r.Fence)
	switch r.Kind {
	case RecordBehind:
		s.Behind = true
	case RecordWhole:
		s.Behind = false
	case RecordLease, RecordEnd:
		s.put(r)
	}
}
