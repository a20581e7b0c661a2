package policy

import "time"

// Ejection bounds: how long a peer is left alone after it failed, doubled when
// it fails again as soon as it is asked again. A peer that was not for
// ejectMost begins anew.
const (
	ejectFirst = time.Second
	ejectMost  = 10 * time.Second
)

// Health is which peers, named by N, failed requests of this node lately. The
// link's own health is judged elsewhere; this is for the peer that answers
// pings and not requests. The zero value knows of no failure.
type Health[N comparable] struct {
	failing map[N]failing
}

type failing struct {
	until time.Duration
	times int
}

// Failed notes that a request to the peer was lost or not even acknowledged.
// A peer that is ejected already was asked before it was: that says nothing
// new. peers is how many there are: at most half of them (of one, that one)
// are ejected at a time, so that a fault of our own does not leave us alone.
func (h *Health[N]) Failed(now time.Duration, peer N, peers int) {
	h.forget(now)
	if h.Ejected(now, peer) || h.ejected(now) >= max(peers/2, 1) {
		return
	}
	f := h.failing[peer]
	f.until = now + min(ejectFirst<<min(f.times, 10), ejectMost)
	f.times++
	if h.failing == nil {
		h.failing = make(map[N]failing)
	}
	h.failing[peer] = f
}

// Answered notes that a request to the peer was answered.
func (h *Health[N]) Answered(peer N) { delete(h.failing, peer) }

// Gone forgets a peer that left.
func (h *Health[N]) Gone(peer N) { delete(h.failing, peer) }

// Ejected reports whether the peer should be left alone now.
func (h *Health[N]) Ejected(now time.Duration, peer N) bool {
	f, known := h.failing[peer]
	return known && now < f.until
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

// forget drops what is too old to count, so that peers that are never asked
// again, or failed when they were gone already, do not stay for ever.
func (h *Health[N]) forget(now time.Duration) {
	for peer, f := range h.failing {
		if now-f.until >= ejectMost {
			delete(h.failing, peer)
		}
	}
}
