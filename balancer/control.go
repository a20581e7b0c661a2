package balancer

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"kecho/balancer/policy"
)

// What the small events say that come before a request moves: spec.md.

var errControl = errors.New("not what this event says")

// packOffer is the body of an offer: the epoch, the age, how urgent, how much
// memory, as varints.
func packOffer(m *policy.Message) []byte {
	b := make([]byte, 0, 24)
	b = binary.AppendUvarint(b, uint64(m.Epoch))
	b = binary.AppendUvarint(b, uint64(max(m.Age, 0)/time.Microsecond))
	b = binary.AppendVarint(b, int64(m.Class))
	return binary.AppendUvarint(b, uint64(max(m.Bytes, 0)))
}

// unpackOffer reads it. What comes after it is a later version's.
func unpackOffer(b []byte) (m policy.Message, err error) {
	m.Kind = policy.Offer
	if m.Epoch, b, err = readEpoch(b); err != nil {
		return m, err
	}
	age, n := binary.Uvarint(b)
	if n <= 0 {
		return m, errControl
	}
	m.Age = microseconds(age)
	class, k := binary.Varint(b[n:])
	if k <= 0 {
		return m, errControl
	}
	m.Class = classOf(class)
	bytes, l := binary.Uvarint(b[n+k:])
	if l <= 0 {
		return m, errControl
	}
	m.Bytes = int64(min(bytes, math.MaxInt32))
	return m, nil
}

// microseconds is a time as it travels; what no request can have is cut.
func microseconds(n uint64) time.Duration {
	return time.Duration(min(n, uint64(maxLeft/time.Microsecond))) * time.Microsecond
}

// classOf is the class that a peer names; what is beyond the ends is at the
// ends.
func classOf(n int64) policy.Class {
	return policy.Class(min(max(n, int64(policy.FirstClass)), int64(policy.LastClass)))
}

// packEpoch is the body of a claim and of a withdrawal.
func packEpoch(epoch uint32) []byte { return binary.AppendUvarint(nil, uint64(epoch)) }

func unpackEpoch(b []byte) (uint32, error) {
	epoch, _, err := readEpoch(b)
	return epoch, err
}

func readEpoch(b []byte) (epoch uint32, rest []byte, err error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v > math.MaxUint32 {
		return 0, nil, errControl
	}
	return uint32(v), b[n:], nil
}
