package policy

import "math/bits"

// callHistory is how the last calls of the web server went. A server that
// fails at once draws every request that is offered, so one that fails takes
// none.
type callHistory struct {
	failed  uint32 // a bit a call, the last the lowest
	count   int
	good    int // in a row
	most    int // that may fail, and one more; below 0: any
	ejected bool
}

// How many calls are looked at, and how many must succeed in a row to be
// trusted again.
const (
	callsSeen = 20
	goodCalls = 3
)

func (h *callHistory) note(ok bool) {
	h.failed <<= 1
	h.good++
	if !ok {
		h.failed |= 1
		h.good = 0
	}
	h.failed &= 1<<callsSeen - 1
	h.count = min(h.count+1, callsSeen)
}

// sick reports whether too many of the last calls failed and it has not recovered
// since.
func (h *callHistory) sick() bool {
	switch {
	case h.ejected && h.good >= goodCalls:
		*h = callHistory{most: h.most}
	case h.most > 0 && h.count == callsSeen && bits.OnesCount32(h.failed) >= h.most:
		h.ejected = true
	}
	return h.ejected
}
