package link

import (
	"encoding/binary"
	"errors"
	"fmt"

	"kecho/channel"
)

// Every frame is its payload's length (4 bytes, big-endian), its kind (1 byte)
// and the payload. spec.md is the contract.
const headerSize = 5

// Kinds of frames, with their payloads. A kind that is not listed is fatal
// below kindSkip and ignored from there on, so that a later version can add
// what an earlier one need not understand.
const (
	kindHello   = 1 // greeting, from who dialed
	kindWelcome = 2 // greeting, from who accepted
	kindRefuse  = 3 // code (1 byte), text
	kindPing    = 4 // 8 bytes that the pong repeats
	kindPong    = 5
	kindBye     = 6 // nothing: the sender's life ends here
	kindUrgent  = 8 // an event's frame
	kindNormal  = 9
	kindBulk    = 10
	kindSkip    = 0x80
)

// lane is the place of a priority in a link's tables, and its rank.
type lane int

const (
	urgent lane = iota
	normal
	bulk
	lanes
)

func laneOf(p channel.Priority) lane {
	switch p {
	case channel.Urgent:
		return urgent
	case channel.Bulk:
		return bulk
	}
	return normal
}

func (ln lane) kind() byte { return kindUrgent + byte(ln) }

// Why links end, as Receiver.LinkDown and LinkStats.LastError tell it (wrapped).
var (
	// ErrProtocol: the peer sent what it must not.
	ErrProtocol = errors.New("the peer broke the link protocol")
	// ErrLost: the connection ended without a word.
	ErrLost = errors.New("the connection was lost")
	// ErrSilent: nothing was heard from the peer for Config.DeadAfter.
	ErrSilent = errors.New("the peer is silent")
	// ErrStalled: the peer did not take what was written for Config.DeadAfter.
	ErrStalled = errors.New("the peer does not read")
	// ErrLeft: the peer said that its life ends.
	ErrLeft = errors.New("the peer left")
	// ErrReplaced: the peer dialed anew, so it has lost this link.
	ErrReplaced = errors.New("the peer made a new link")
	// ErrDraining: this node's Serve is ending.
	ErrDraining = errors.New("this node is shutting down")
)

// appendFrame appends a whole frame to b.
func appendFrame(b []byte, kind byte, payload []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = append(b, kind)
	return append(b, payload...)
}

// parseHeader reads a frame's header, and refuses a length that no frame of
// that kind has before anybody makes room for it.
func parseHeader(h []byte) (kind byte, size int, err error) {
	n := binary.BigEndian.Uint32(h)
	kind = h[4]
	limit := uint32(channel.MaxFrame)
	if kind < kindUrgent {
		limit = maxControl
	}
	if n > limit {
		return kind, 0, fmt.Errorf("%w: a frame of kind %d announces %d bytes, the limit is %d", ErrProtocol, kind, n, limit)
	}
	return kind, int(n), nil
}
