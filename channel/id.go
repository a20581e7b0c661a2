package channel

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
)

// NodeID names one life of one node: 64 random bits drawn when it starts. A
// node that restarts has another NodeID, so nothing that was said to or by its
// past is ever taken for its present (Consul #6897). It says nothing about
// where the node is or what it is called. Zero is no node.
type NodeID uint64

// NewNodeID draws an id from the system's randomness.
func NewNodeID() NodeID {
	var b [8]byte
	for {
		rand.Read(b[:]) // never fails: crypto/rand ends the process instead
		if id := NodeID(binary.BigEndian.Uint64(b[:])); id != 0 {
			return id
		}
	}
}

// String is the id as 16 hexadecimal digits.
func (id NodeID) String() string {
	return fmt.Sprintf("%016x", uint64(id))
}

// LogValue has logs show what String does, in JSON too.
func (id NodeID) LogValue() slog.Value { return slog.StringValue(id.String()) }

// ParseNodeID reads what String writes.
func ParseNodeID(s string) (NodeID, error) {
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil || len(s) != 16 || n == 0 {
		return 0, fmt.Errorf("node id %.40q is not 16 hexadecimal digits", s)
	}
	return NodeID(n), nil
}

// ID names one event in the whole cluster, for ever: who submitted it, and the
// how-manieth of that node it is. The highest bit of Seq says that it is a
// Request. Zero is no event.
type ID struct {
	Source NodeID
	Seq    uint64
}

// IsZero reports whether id names no event.
func (id ID) IsZero() bool { return id == ID{} }

// String is the source, a dash and the sequence number in decimal.
func (id ID) String() string {
	return id.Source.String() + "-" + strconv.FormatUint(id.Seq, 10)
}

// LogValue has logs show what String does, in JSON too.
func (id ID) LogValue() slog.Value { return slog.StringValue(id.String()) }

// ParseID reads what ID.String writes.
func ParseID(s string) (ID, error) {
	source, seq, ok := strings.Cut(s, "-")
	if !ok {
		return ID{}, fmt.Errorf("event id %.60q: want SOURCE-SEQUENCE", s)
	}
	node, err := ParseNodeID(source)
	if err != nil {
		return ID{}, fmt.Errorf("event id %.60q: %w", s, err)
	}
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil {
		return ID{}, fmt.Errorf("event id %.60q: %w", s, errors.Unwrap(err))
	}
	return ID{Source: node, Seq: n}, nil
}
