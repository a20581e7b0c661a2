package sim

import (
	"time"

	"kecho/balancer/policy"
)

// what an event is.
type what uint8

const (
	arrives what = iota
	finishes
	receives // a message
	answers  // the answer of a peer is with the owner
	wakes
	dies
	revives
	loses // a peer learns of a death
	meets // a peer learns of a new life
	reports
)

// event is one thing that will happen.
type event struct {
	at      time.Duration
	what    what
	node    int
	from    policy.Peer
	life    int    // of the node when it was planned
	epoch   uint32 // of the request, for answers
	failed  bool   // of answers: there is none
	run     uint64 // of the job, for finishes
	job     *job
	service *service // cores, for finishes and answers
	message *policy.Message
}

// due is when an event happens, and where it is kept.
type due struct {
	at     time.Duration
	number uint64 // of the same time, the first to be planned is first
	slot   int32
}

func (d due) before(e due) bool {
	return d.at < e.at || d.at == e.at && d.number < e.number
}

// agenda is the events to come: a heap in which each has four below it. What
// moves in it is small, the events stay where they are.
type agenda struct {
	now     time.Duration
	planned uint64
	heap    []due
	events  []event
	free    []int32 // slots of events
	spare   []*policy.Message
}

func (a *agenda) message(m policy.Message) *policy.Message {
	if n := len(a.spare); n > 0 {
		p := a.spare[n-1]
		a.spare = a.spare[:n-1]
		*p = m
		return p
	}
	return &m
}

func (a *agenda) plan(e event) {
	a.planned++
	d := due{at: e.at, number: a.planned, slot: a.keep(e)}
	a.heap = append(a.heap, d)
	i := len(a.heap) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !d.before(a.heap[parent]) {
			break
		}
		a.heap[i] = a.heap[parent]
		i = parent
	}
	a.heap[i] = d
}

// keep puts an event into a slot.
func (a *agenda) keep(e event) int32 {
	if n := len(a.free); n > 0 {
		slot := a.free[n-1]
		a.free = a.free[:n-1]
		a.events[slot] = e
		return slot
	}
	a.events = append(a.events, e)
	return int32(len(a.events) - 1)
}

// next takes out the first event and sets the clock to it.
func (a *agenda) next() (event, bool) {
	if len(a.heap) == 0 {
		return event{}, false
	}
	slot := a.heap[0].slot
	last := len(a.heap) - 1
	d := a.heap[last]
	a.heap = a.heap[:last]
	if last > 0 {
		a.sink(d)
	}
	first := a.events[slot]
	a.events[slot] = event{}
	a.free = append(a.free, slot)
	a.now = first.at
	return first, true
}

// sink puts d where it belongs, beginning at the top, which is free.
func (a *agenda) sink(d due) {
	i := 0
	for {
		child := 4*i + 1
		if child >= len(a.heap) {
			break
		}
		for c := child + 1; c < min(4*i+5, len(a.heap)); c++ {
			if a.heap[c].before(a.heap[child]) {
				child = c
			}
		}
		if !a.heap[child].before(d) {
			break
		}
		a.heap[i] = a.heap[child]
		i = child
	}
	a.heap[i] = d
}
