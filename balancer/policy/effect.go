package policy

import "time"

// Do is what the driver of a Core is to do.
type Do uint8

// The effects.
const (
	// DoStart: give the request to this node's web server; then Finish.
	DoStart Do = iota + 1
	// DoSubmit: have an OUT-filter pick at most Most peers for Message, an
	// offer or a push, of those that Core.MayAsk allows, as Choose says. Then
	// say with Sent who was picked, before the message goes out to them.
	DoSubmit
	// DoSend: send Message to the peer To.
	DoSend
	// DoAbort: nobody needs this guest any more, or this own request that a peer
	// has answered: end what it does at the web server; then Finish. It is said
	// once.
	DoAbort
	// DoShed: answer 503, there is too much to do. RetryAfter of Drain is when
	// to come again.
	DoShed
	// DoFail: answer 502, nobody can serve it or its peer was lost.
	DoFail
	// DoExpire: answer 504, its time is over, or is too short for what it needs.
	DoExpire
	// DoForget: the guest that Message.Data belongs to is not here any more, and
	// was not begun.
	DoForget
)

// String is the effect's name in lower case.
func (d Do) String() string {
	return [...]string{"nothing", "start", "submit", "send", "abort", "shed", "fail", "expire", "forget"}[d]
}

// Effect is one thing to do. Effects are to be done in their order.
type Effect struct {
	Do Do
	// Request is there but for DoForget and for DoSend: there it is of a Grant,
	// and of a Cancel to a peer that has the request and not only an offer.
	Request *Request
	To      Peer          // DoSend
	Most    int           // DoSubmit
	Choose  Choice        // DoSubmit
	Message Message       // DoSend, DoSubmit
	Drain   time.Duration // DoShed: how long it takes until what waits is gone
}
