package channel

import (
	"context"
	"errors"
	"time"
)

// Links carries frames between this node and its peers over direct
// connections. It does not look into frames.
type Links interface {
	// Send hands frame to the link to the node `to`. The frame is lent until
	// Send returns. Urgent and Normal never block: when the link's queue for
	// that priority has no room they fail at once with ErrQueueFull. Bulk waits
	// for room until ctx is done. ErrNoLink when there is no link to that
	// node now. A nil error says that the link took the frame, not that it
	// arrived.
	Send(ctx context.Context, to NodeID, how Handling, frame []byte) error
	// Serve runs the links until ctx is done and tells r what they do. It
	// returns when every goroutine and connection it started has ended; its
	// error is nil when ctx ended it. It is called once.
	Serve(ctx context.Context, r Receiver) error
}

// Handling is how a link is to treat a frame.
type Handling struct {
	Priority Priority
	// Share is in whose part of the link's queues the frame waits: those who
	// flood must leave room for the other shares. Below Shares.
	Share uint8
	// Try has Bulk not wait for room either.
	Try bool
	// Due is when the frame is dropped if it still waits, and makes room; the
	// zero time never comes.
	Due time.Time
}

// Shares is how many parts a link's queue is shared by. The first is the
// nodes' own, the others are the channels'.
const Shares = 64

// Receiver is told what links do. For one peer the calls come one after the
// other, LinkUp first and LinkDown last; different peers' calls are
// concurrent. None may block: they run on the link's reader.
type Receiver interface {
	// LinkUp says that peer can be sent to.
	LinkUp(peer NodeID)
	// Receive delivers one frame, which was read from the link at that moment:
	// who reads many at once has looked at the clock once. It is lent until
	// Receive returns. more says that the peer's next frame was read too, and
	// follows in any case but this: a non-nil error says that the peer broke the
	// protocol, and the link is closed.
	Receive(peer NodeID, heard time.Time, frame []byte, more bool) error
	// LinkDown says that peer cannot be sent to any more, and why.
	LinkDown(peer NodeID, cause error)
}

// Registry knows which nodes exist and which channels they have open.
type Registry interface {
	// Announce replaces what the others are told of this node. It does not
	// block.
	Announce(a Announcement) error
	// Watch calls changed with the whole membership, without this node, at
	// once and after each change, one call at a time, until ctx is done. The
	// slice belongs to the callee.
	Watch(ctx context.Context, changed func([]Member)) error
}

// Member is another node that the registry believes to exist.
type Member struct {
	ID NodeID
	Announcement
}

// Announcement is the set of channels that a node has open. Version rises
// with each change; of two announcements of one node the higher counts.
type Announcement struct {
	Version  uint64
	Channels []string
	// Partial says that there are more channels than are listed: the registry
	// had no room for all. The links' own announcement (spec.md) is whole.
	Partial bool
}

// Errors that callers branch on.
var (
	// ErrNoLink: there is no link to that node at this moment.
	ErrNoLink = errors.New("no link to the node")
	// ErrQueueFull: the link's queue for this priority is full.
	ErrQueueFull = errors.New("the link's queue is full")
	// ErrTooLarge: the event or frame exceeds a limit.
	ErrTooLarge = errors.New("too large")
	// ErrNoSink: nobody has the channel open, or the OUT-filter left nobody.
	ErrNoSink = errors.New("no sink for the event")
	// ErrClosed: the channel, subscription or node is closed.
	ErrClosed = errors.New("closed")

	errOpen = errors.New("it is open on this node already")
)
