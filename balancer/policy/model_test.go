package policy

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is a gate as one would say it in words: a list of requests, each in
// one state, searched from end to end for whatever is asked.
type model struct {
	limits         Limits
	down, draining bool
	raised         bool       // overflow
	requests       []*request // in the order of arrival
	guests         int        // places that peers' requests have
}

type request struct {
	ticket  Ticket
	name    int
	state   state
	arrived time.Duration
	went    time.Duration // when it last went to the peers
	away    time.Duration // how long it was there
	due     time.Duration
	tries   int
	bounced bool // the web server did not take it once
}

// state is where a request is: exactly one of these.
type state int

const (
	gone state = iota
	waiting
	here
	away
)

func (r *request) bound() bool { return r.tries > 0 || !r.ticket.Movable }

// in is the requests of one state, oldest first.
func (m *model) in(s state) []*request {
	var rs []*request
	for _, r := range m.requests {
		if r.state == s {
			rs = append(rs, r)
		}
	}
	slices.SortStableFunc(rs, func(a, b *request) int { return cmp.Compare(a.arrived, b.arrived) })
	return rs
}

func (m *model) running() int { return len(m.in(here)) + m.guests }

func (m *model) fits(r *request) bool {
	if r.bound() {
		return !m.down && m.running() < m.limits.Hard
	}
	return !m.down && m.running() < m.limits.Soft
}

// starts is who waits and may start: the oldest that fits.
func (m *model) starts() *request {
	for _, r := range m.in(waiting) {
		if m.fits(r) {
			return r
		}
	}
	return nil
}

func (m *model) arrive(now time.Duration, r *request) Verdict {
	r.arrived, r.due, r.tries, r.bounced, r.away = now, now+m.limits.ForwardAfter, 0, false, 0
	queue := m.in(waiting)
	switch {
	case m.down:
		return pick(r.ticket.Movable, Overflow, Fail)
	case m.fits(r) && !(m.raised && r.ticket.Movable):
		return Start
	case len(queue) == m.limits.Queue, len(queue) > 0 && now-queue[0].arrived-queue[0].away > m.limits.ForwardAfter+m.limits.QueueAge:
		return Shed
	}
	return pick(r.ticket.Movable && (m.raised || m.limits.ForwardAfter == 0), Overflow, Wait)
}

// refused is what becomes of one that no peer took.
func (m *model) refused(now time.Duration, r *request) Verdict {
	r.away += now - r.went
	waits := []time.Duration{25, 50, 100, 200, 400}
	r.due = now + waits[min(r.tries, 4)]*time.Millisecond
	r.tries++
	switch {
	case m.down && (!r.ticket.Movable || now-r.arrived-r.away > m.limits.QueueAge):
		return Fail
	case m.fits(r): // which it does not while the web server is down
		return Start
	}
	return pick(len(m.in(waiting)) == m.limits.Queue, Shed, Wait)
}

// failed is what becomes of one that the web server did not take.
func (m *model) failed(r *request) Verdict {
	again := r.bounced
	r.bounced = true
	return pick(r.ticket.Movable && !again, Overflow, Fail)
}

// due is who is due now, in the order in which they are told.
func (m *model) due(now time.Duration) []*request {
	var hurried, rs []*request
	for _, r := range m.in(waiting) {
		switch {
		case m.down && (!r.ticket.Movable || r.tries == 0):
			hurried = append(hurried, r)
		case r.ticket.Movable && r.due <= now:
			rs = append(rs, r)
		}
	}
	slices.SortStableFunc(rs, func(a, b *request) int {
		return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.name, b.name))
	})
	return append(hurried, rs...)
}

// room is who tries the peers when one may have room: of those that were let
// go once, the one that would be next anyway.
func (m *model) room(now time.Duration) *request {
	var next *request
	for _, r := range m.in(waiting) {
		if r.ticket.Movable && (next == nil || r.due < next.due) {
			next = r
		}
	}
	if next == nil || now < next.arrived+m.limits.ForwardAfter {
		return nil
	}
	return next
}

func pick(yes bool, a, b Verdict) Verdict {
	if yes {
		return a
	}
	return b
}

// after is the state that a verdict puts a request into.
func after(v Verdict) state { return [...]state{waiting, here, away, gone, gone}[v] }

// duel is a gate and its model, which are done the same things to.
type duel struct {
	*model
	gate *Gate
	now  time.Duration
}

func newDuel(t *rapid.T) *duel {
	soft := rapid.IntRange(1, 3).Draw(t, "soft")
	l := Limits{
		Soft: soft, Hard: soft + rapid.IntRange(0, 3).Draw(t, "beyond soft"),
		Queue:        rapid.IntRange(1, 6).Draw(t, "queue"),
		QueueAge:     drawTime(t, "age") + 1,
		ForwardAfter: max(0, drawTime(t, "forward")-200*time.Millisecond),
	}
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	return &duel{model: &model{limits: l}, gate: NewGate(l)}
}

// drawTime is often the same time twice.
func drawTime(t *rapid.T, label string) time.Duration {
	return time.Duration(rapid.IntRange(0, 40).Draw(t, label)) * 25 * time.Millisecond / 2
}

// some is one of the requests in a state.
func (d *duel) some(t *rapid.T, s state) *request {
	rs := d.in(s)
	if len(rs) == 0 {
		t.Skip("none in that state")
	}
	return rapid.SampledFrom(rs).Draw(t, "which")
}

// said checks a verdict and does what it says.
func (d *duel) said(t *rapid.T, r *request, got, want Verdict) {
	if got != want {
		t.Fatalf("at %v: request %d: %v, want %v", d.now, r.name, got, want)
	}
	if r.state = after(got); r.state == away {
		r.went = d.now
	}
}

// started checks who starts after something, and notes it.
func (d *duel) started(t *rapid.T, got *Ticket, want *request) {
	switch {
	case (got == nil) != (want == nil):
		t.Fatalf("at %v: starts %v, want %v", d.now, got, want)
	case got != nil && got != &want.ticket:
		t.Fatalf("at %v: starts request %d, want %d", d.now, got.Data.(*request).name, want.name)
	case got != nil:
		want.state = here
	}
}

// finish gives back a place that is free in the model already.
func (d *duel) finish(t *rapid.T) {
	next := d.gate.Finish(d.now)
	d.started(t, next, d.starts())
}

func (d *duel) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"":       d.check,
		"arrive": d.arrives,
		"pass":   func(t *rapid.T) { d.now += drawTime(t, "for") },
		"finish": func(t *rapid.T) {
			d.some(t, here).state = gone
			d.finish(t)
		},
		"bounce": func(t *rapid.T) { // the web server did not take it
			r := d.some(t, here)
			r.state = gone
			d.finish(t)
			d.said(t, r, d.gate.Back(d.now, &r.ticket), d.failed(r))
		},
		"refuse": func(t *rapid.T) {
			r := d.some(t, away)
			r.state = gone
			want := d.refused(d.now, r)
			d.said(t, r, d.gate.Back(d.now, &r.ticket), want)
		},
		"answer": func(t *rapid.T) { d.some(t, away).state = gone },
		"leave": func(t *rapid.T) { // who does not wait has nothing to leave
			s := rapid.SampledFrom([]state{waiting, waiting, here, away, gone}).Draw(t, "state")
			r := d.some(t, s)
			d.gate.Leave(&r.ticket)
			if s == waiting {
				r.state = gone
			}
		},
		"due": d.dues,
		"room": func(t *rapid.T) {
			want, got := d.room(d.now), d.gate.Room(d.now)
			if want == nil && got == nil {
				return
			}
			if want == nil || got != &want.ticket {
				t.Fatalf("at %v: %v may try the peers, want %v", d.now, got, want)
			}
			want.state, want.went = away, d.now
		},
		"admit": func(t *rapid.T) {
			want := !d.down && !d.draining && !d.raised && d.running() < d.limits.Soft
			if got := d.gate.Admit(); got != want {
				t.Fatalf("admitted: %v, want %v", got, want)
			}
			if want {
				d.guests++
			}
		},
		"served": func(t *rapid.T) {
			if d.guests == 0 {
				t.Skip("no peer's request runs here")
			}
			d.guests--
			d.finish(t)
		},
		"switch": d.switches,
		"overflow": func(t *rapid.T) {
			d.raised = !d.raised
			d.gate.SetOverflow(d.raised)
		},
		"drain": func(t *rapid.T) {
			if rapid.IntRange(0, 9).Draw(t, "rarely") == 0 {
				d.gate.Drain()
				d.draining = true
			}
		},
	}
}

func (d *duel) arrives(t *rapid.T) {
	var r *request // a ticket may be used again when its request is over
	if rs := d.in(gone); len(rs) > 0 && rapid.Bool().Draw(t, "again") {
		r = rs[0]
		d.requests = slices.DeleteFunc(d.requests, func(o *request) bool { return o == r })
	} else {
		r = new(request)
		r.ticket.Data = r
	}
	r.name = 0
	if n := len(d.requests); n > 0 {
		r.name = d.requests[n-1].name + 1
	}
	r.ticket.Movable = rapid.Bool().Draw(t, "movable")
	r.state = gone
	want := d.arrive(d.now, r)
	d.requests = append(d.requests, r)
	d.said(t, r, d.gate.Arrive(d.now, &r.ticket), want)
}

func (d *duel) dues(t *rapid.T) {
	for _, want := range d.due(d.now) {
		got, v := d.gate.Due(d.now)
		if got != &want.ticket {
			t.Fatalf("at %v: %v is due, want request %d", d.now, got, want.name)
		}
		d.said(t, want, v, pick(want.ticket.Movable, Overflow, Fail))
	}
	if got, v := d.gate.Due(d.now); got != nil || v != Wait {
		t.Fatalf("at %v: request %d is due too early", d.now, got.Data.(*request).name)
	}
	if at, ok := d.gate.Next(); ok && at <= d.now {
		t.Fatalf("at %v: nothing is due, and yet something should be at %v", d.now, at)
	}
}

// switches takes the web server away or gives it back; between, nobody need
// have looked at what is due.
func (d *duel) switches(t *rapid.T) {
	d.down = !d.down
	d.gate.SetDown(d.down)
	for {
		want := d.starts()
		d.started(t, d.gate.Wake(), want)
		if want == nil {
			return
		}
	}
}

// check holds the gate against the model, and both against what must be true
// always.
func (d *duel) check(t *rapid.T) {
	queue := d.in(waiting)
	want := State{Running: d.running(), Queued: len(queue), Soft: d.limits.Soft, Down: d.down, Draining: d.draining, Overflow: d.raised}
	if got := d.gate.State(); got != want {
		t.Fatalf("state %+v, want %+v", got, want)
	}
	if want.Running > d.limits.Hard || want.Queued > d.limits.Queue {
		t.Fatalf("%+v is beyond the limits %+v", want, d.limits)
	}
	if r := d.starts(); r != nil {
		t.Fatalf("request %d waits, and there is room for it", r.name)
	}
	// Those that nobody else takes aside, places are used up to the soft limit.
	others := d.guests
	for _, r := range d.in(here) {
		if !r.bound() {
			others++
		}
	}
	if others > d.limits.Soft {
		t.Fatalf("%d run that could be elsewhere, above the soft limit", others)
	}
	for _, r := range d.requests {
		if queued := r.ticket.line != nil; queued != (r.state == waiting) {
			t.Fatalf("request %d in the queue: %v, and its state is %v", r.name, queued, r.state)
		}
	}
	d.checkNext(t)
}

// checkNext: something is due at the time that Next names, and not before.
func (d *duel) checkNext(t *rapid.T) {
	at, ok := d.gate.Next()
	var soonest time.Duration
	found := false
	hurried := false
	for _, r := range d.in(waiting) { // oldest first
		switch {
		case hurried:
		case d.down && (!r.ticket.Movable || r.tries == 0):
			hurried, found, soonest = true, true, r.arrived
		case r.ticket.Movable && (!found || r.due < soonest):
			found, soonest = true, r.due
		}
	}
	if ok != found || at != soonest {
		t.Fatalf("next at %v (%v), want %v (%v)", at, ok, soonest, found)
	}
}

// end brings everything to its end: each place comes back once, and nothing is
// left.
func (d *duel) end(t *rapid.T) {
	for len(d.in(here))+len(d.in(waiting))+d.guests > 0 {
		if rs := d.in(here); len(rs) > 0 {
			rs[0].state = gone
			d.finish(t)
		} else if d.guests > 0 {
			d.guests--
			d.finish(t)
		} else {
			r := d.in(waiting)[0]
			d.gate.Leave(&r.ticket)
			r.state = gone
		}
	}
	if s := d.gate.State(); s.Running != 0 || s.Queued != 0 {
		t.Fatalf("at the end: %+v", s)
	}
	for _, l := range []*line{&d.gate.queue.open, &d.gate.queue.bound, &d.gate.queue.dues} {
		if slices.ContainsFunc(l.tickets[:cap(l.tickets)], func(t *Ticket) bool { return t != nil }) {
			t.Fatal("a line keeps a ticket that left")
		}
	}
}

func fight(t *rapid.T) {
	d := newDuel(t)
	t.Repeat(d.actions())
	d.end(t)
}

func TestGateAgainstModel(t *testing.T) { rapid.Check(t, fight) }

func FuzzGate(f *testing.F) { f.Fuzz(rapid.MakeFuzz(fight)) }

// TestQueue holds the heaps against sorting.
func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue()
		var in []*Ticket
		for i := range rapid.IntRange(0, 60).Draw(t, "tickets") {
			x := &Ticket{Movable: rapid.Bool().Draw(t, "movable"), number: uint64(i)}
			x.arrived, x.due = drawTime(t, "arrived"), drawTime(t, "due")
			q.add(x)
			in = append(in, x)
			if rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
				k := rapid.IntRange(0, len(in)-1).Draw(t, "which")
				q.remove(in[k])
				in = slices.Delete(in, k, k+1)
			}
		}
		for len(in) > 0 {
			first := slices.MinFunc(in, func(a, b *Ticket) int {
				return cmp.Or(cmp.Compare(a.arrived, b.arrived), cmp.Compare(a.number, b.number))
			})
			if got := q.oldest(); got != first || q.len() != len(in) {
				t.Fatalf("the oldest is %+v, want %+v", got, first)
			}
			soonest := time.Duration(-1)
			for _, x := range in {
				if x.Movable && (soonest < 0 || x.due < soonest) {
					soonest = x.due
				}
			}
			if got := q.dues.first(); (got == nil) != (soonest < 0) || (got != nil && got.due != soonest) {
				t.Fatalf("first due is %+v, want at %v", got, soonest)
			}
			q.remove(first)
			in = slices.DeleteFunc(in, func(x *Ticket) bool { return x == first })
		}
		if q.len() != 0 || q.oldest() != nil || q.dues.first() != nil {
			t.Fatal("the queue is not empty")
		}
	})
}
