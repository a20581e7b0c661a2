package policy

import "time"

// Ejection bounds: how long a peer is left alone after it failed, doubled
// with each further failure.
const (
	ejectFirst = time.Second
	ejectMost  = 10 * time.Second
)

// Health is which peers, named by N, failed requests of this node lately. The
// link's own health is judged elsewhere; this is for the peer that answers
// pings and not requests.
type Health[N comparable] struct {
	failing map[N]*failing
}

type failing struct {
	until time.Duration
	times int
}

// Failed notes that a request to the peer was lost or not even acknowledged.
// peers is how many there are: at most half of them are ejected at a time, so
// that a fault of our own never leaves us alone.
func (h *Health[N]) Failed(now time.Duration, peer N, peers int) {
	f := h.failing[peer]
	if f == nil {
		if h.ejected(now)+1 > max(peers/2, 1) {
			return
		}
		if h.failing == nil {
			h.failing = make(map[N]*failing)
		}
		f = new(failing)
		h.failing[peer] = f
	}
	f.until = now + min(ejectFirst<<min(f.times, 10), ejectMost)
	f.times++
}

// Answered notes that a request to the peer was answered.
func (h *Health[N]) Answered(peer N) { delete(h.failing, peer) }

// Gone forgets a peer that left.
func (h *Health[N]) Gone(peer N) { delete(h.failing, peer) }

// Ejected reports whether the peer should be left alone now.
func (h *Health[N]) Ejected(now time.Duration, peer N) bool {
	f := h.failing[peer]
	return f != nil && now < f.until
}

func (h *Health[N]) ejected(now time.Duration) int {
	n := 0
	for _, f := range h.failing {
		if now < f.until {
			n++
		}
	}
	return n
}
