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
	number  uint64 // of the same time, the first to be planned is first
	what    what
	node    int
	from    policy.Peer
	life    int    // of the node when it was planned
	epoch   uint32 // of the request, for answers
	failed  bool   // of answers: there is none
	run     uint64 // of the job, for finishes
	job     *job
	service *service // cores
	message *policy.Message
}

// agenda is the events to come, a heap.
type agenda struct {
	now     time.Duration
	planned uint64
	events  []event
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
	e.number = a.planned
	a.events = append(a.events, e)
	i := len(a.events) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !e.before(&a.events[parent]) {
			break
		}
		a.events[i] = a.events[parent]
		i = parent
	}
	a.events[i] = e
}

// next takes out the first event and sets the clock to it.
func (a *agenda) next() (event, bool) {
	if len(a.events) == 0 {
		return event{}, false
	}
	first := a.events[0]
	last := len(a.events) - 1
	e := a.events[last]
	a.events[last] = event{}
	a.events = a.events[:last]
	if last > 0 {
		i := 0
		for {
			child := 2*i + 1
			if child >= last {
				break
			}
			if child+1 < last && a.events[child+1].before(&a.events[child]) {
				child++
			}
			if !a.events[child].before(&e) {
				break
			}
			a.events[i] = a.events[child]
			i = child
		}
		a.events[i] = e
	}
	a.now = first.at
	return first, true
}

func (e *event) before(f *event) bool {
	return e.at < f.at || e.at == f.at && e.number < f.number
}
