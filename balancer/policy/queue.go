package policy

import (
	"container/heap"
	"time"
)

// queue is the tickets that wait. Each stands in one line by age, and if a
// peer may serve it also in one by when it may overflow, so that who starts
// next, who overflows next and who is in the way is found without a walk.
type queue struct {
	// open is those that a peer may take yet: they start under the soft limit.
	open line
	// bound is those that nobody else takes: they start under the hard limit.
	bound line
	// dues is those of both that may overflow, by when.
	dues line
}

func newQueue() queue {
	return queue{open: line{order: byAge}, bound: line{order: byAge}, dues: line{order: byDue}}
}

func (q *queue) len() int { return len(q.open.tickets) + len(q.bound.tickets) }

// oldest is the head of the queue, nil when nothing waits.
func (q *queue) oldest() *Ticket {
	open, bound := q.open.first(), q.bound.first()
	if open == nil || (bound != nil && byAge.before(bound, open)) {
		return bound
	}
	return open
}

func (q *queue) add(t *Ticket) {
	t.line = &q.open
	if t.bound() {
		t.line = &q.bound
	}
	heap.Push(t.line, t)
	if t.Movable {
		heap.Push(&q.dues, t)
	}
}

func (q *queue) remove(t *Ticket) {
	heap.Remove(t.line, t.place[byAge]-1)
	t.line = nil
	if at := t.place[byDue]; at > 0 {
		heap.Remove(&q.dues, at-1)
	}
}

// line is a heap of tickets, each of which knows its place in it.
type line struct {
	order   order
	tickets []*Ticket
}

// order is what a line is sorted by; of two that are equal in it the one that
// came first is before.
type order uint8

const (
	byAge order = iota
	byDue
)

func (o order) before(a, b *Ticket) bool {
	var x, y time.Duration
	if o == byAge {
		x, y = a.arrived, b.arrived
	} else {
		x, y = a.due, b.due
	}
	return x < y || (x == y && a.number < b.number)
}

func (l *line) first() *Ticket {
	if len(l.tickets) == 0 {
		return nil
	}
	return l.tickets[0]
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (l *line) Len() int           { return len(l.tickets) }
func (l *line) Less(i, j int) bool { return l.order.before(l.tickets[i], l.tickets[j]) }
func (l *line) Swap(i, j int) {
	l.tickets[i], l.tickets[j] = l.tickets[j], l.tickets[i]
	l.tickets[i].place[l.order], l.tickets[j].place[l.order] = i+1, j+1
}

func (l *line) Push(x any) {
	t := x.(*Ticket)
	l.tickets = append(l.tickets, t)
	t.place[l.order] = len(l.tickets)
}

func (l *line) Pop() any {
	last := len(l.tickets) - 1
	t := l.tickets[last]
	l.tickets[last] = nil
	l.tickets = l.tickets[:last]
	t.place[l.order] = 0
	return t
}
