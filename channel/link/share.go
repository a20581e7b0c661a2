package link

import (
	"math/bits"

	"kecho/channel"
)

// amount is frames, and their bytes with headers.
type amount struct{ frames, bytes int32 }

// shares is how much of something is of each channel.Handling.Share, so that
// taking a block away costs no look at its frames.
type shares struct {
	of   [channel.Shares]amount
	used uint64 // bit by bit: those that are not zero
}

func (s *shares) add(share uint8, frames, bytes int) {
	a := &s.of[share]
	a.frames += int32(frames)
	a.bytes += int32(bytes)
	if a.frames == 0 {
		s.used &^= 1 << share
	} else {
		s.used |= 1 << share
	}
}

// take subtracts what t has.
func (s *shares) take(t *shares) {
	for used := t.used; used != 0; used &= used - 1 {
		share := uint8(bits.TrailingZeros64(used))
		s.add(share, -int(t.of[share].frames), -int(t.of[share].bytes))
	}
}

// clear is cheaper than to write the whole of it.
func (s *shares) clear() {
	for ; s.used != 0; s.used &= s.used - 1 {
		s.of[bits.TrailingZeros64(s.used)] = amount{}
	}
}

// shareOfFree is how many times that which is still free of a queue one share
// may have of it (dynamic thresholds: Choudhury and Hahne, "Dynamic queue length
// thresholds for shared-memory packet switches", 1998). One that floods gets
// two thirds, n get 2/(2n+1) each, and 1/(2n+1) stays free for those who do not.
const shareOfFree = 2

// fits reports whether the queue has room for frame. One frame always fits into
// an empty queue, and the first of a share wherever the queue is not full.
func (q *queue) fits(limits *Config, share uint8, frame []byte) bool {
	if q.frames == 0 {
		return true
	}
	free, freeBytes := limits.QueueFrames-q.frames-1, limits.QueueBytes-q.bytes-headerSize-len(frame)
	if free < 0 || freeBytes < 0 {
		return false
	}
	have := q.shares.of[share]
	return have.frames == 0 ||
		int(have.frames)+1 <= shareOfFree*free && int(have.bytes)+headerSize+len(frame) <= shareOfFree*freeBytes
}
