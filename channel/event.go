package channel

import (
	"slices"
	"time"
)

// Type is what an event is called: 1 to 64 bytes. Handlers subscribe by it.
type Type string

// Priority says which events go first where several wait for one link. It does
// not change the order of events of one source, channel and priority.
type Priority int8

const (
	// Normal is for requests and whatever names no other priority. A link
	// refuses it at once when its queue is full.
	Normal Priority = 0
	// Urgent is for what is small and makes others wait: cancels, credit,
	// response heads, grants, load. A link refuses it at once when its queue
	// is full.
	Urgent Priority = 1
	// Bulk is for bodies. Submitting it waits for room, until the context or
	// the event's deadline ends.
	Bulk Priority = -1
)

// String is "urgent", "normal" or "bulk".
func (p Priority) String() string {
	switch p {
	case Urgent:
		return "urgent"
	case Bulk:
		return "bulk"
	}
	return "normal"
}

// Event is what a source submits and sinks receive.
//
// An event that a handler or a filter receives is lent, and others may look at
// it: it must not be written to, and Attrs, Body and From are used again when
// the call returns. Clone keeps one.
type Event struct {
	// ID is stamped by Submit when it is zero. Who needs it earlier draws it
	// with Channel.NextID and fills it in.
	ID       ID
	Type     Type
	Priority Priority
	// Deadline, when set, is when the event stops being worth delivering. It
	// travels as the time that is left, so no two clocks are compared.
	Deadline time.Time
	// Re is the event that this one answers or continues, if any.
	Re    ID
	Attrs Attrs
	// Body is opaque to the channel; at most MaxBody bytes.
	Body []byte
	// From is what the source's node describes itself with (Node.Describe),
	// as of this event. Submit fills it in, for the OUT-filter too.
	From Attrs
	// Path is the clusters that the event has passed on its way here, from the
	// one in which it was submitted; nil: this one. Forward has it; Submit wants
	// none.
	Path []string

	alone bool // of a request that a handler is given: only gateways are
}

// Clone is a copy of e that the caller owns whole.
func (e *Event) Clone() *Event {
	c := *e
	c.Attrs = e.Attrs.Clone()
	c.Body = slices.Clone(e.Body)
	c.From = e.From.Clone()
	c.Path = slices.Clone(e.Path)
	return &c
}

// size is about how many bytes a clone of e holds.
func (e *Event) size() int {
	n := len(e.Body)
	for i := range e.Attrs {
		n += len(e.Attrs[i].str)
	}
	return n
}

// Limits on an event (docs/design.md, "Limits"). Submit refuses what exceeds
// them; a peer that sends more loses its link.
const (
	MaxName  = 64       // bytes of a channel's, type's or attribute's name
	MaxAttrs = 32       // attributes of an event, and of a node
	MaxText  = 1 << 10  // bytes of a string attribute
	MaxHead  = 64 << 10 // bytes of the encoded head
	MaxBody  = 96 << 10 // bytes of the body: a message's head (64 KiB) and a chunk
	MaxChunk = 32 << 10 // bytes of a larger body that one event should carry
	MaxFrame = MaxHead + MaxBody
	MaxPath  = 8 // clusters that an event has passed, each of at most MaxName bytes
)
