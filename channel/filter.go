package channel

import "time"

// Sink is one receiver on a channel as filters see it: no address, no name
// unless it describes itself with one.
type Sink struct {
	// Node is opaque: good for comparing, not for reaching.
	Node NodeID
	// Local says that the sink is on this node.
	Local bool
	// Attrs is what the sink's node last described itself with. It is shared
	// and must not be written to.
	Attrs Attrs
	// Heard is when anything last came from the sink's node, on the local
	// clock; for a local sink it is the time of the call.
	Heard time.Time

	sub *Subscription // of a local sink that an IN-filter sees
}

// Filter picks the sinks of an event: it narrows sinks in place and returns
// what is left, in the order of its preference. None left means that the event
// goes nowhere.
//
// An OUT-filter runs once for each event that a local source submits; its
// sinks are the nodes that have the channel open, this one included when it
// has a matching subscription. An IN-filter runs once for each event that
// arrives from another node; its sinks are the matching subscriptions of this
// node, all of them Local.
//
// A filter runs on the goroutine that submits or receives. It must not block,
// must not keep e or sinks, and is called by many goroutines at once.
type Filter func(e *Event, sinks []Sink) []Sink
