package resmgr

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"kecho/channel"
)

// Asking is one request of a client of this node, from Open to DoDone.
type Asking struct {
	// Request is what was asked for, with its defaults and its id.
	Request
	// Trial says that only offers are wanted.
	Trial bool
	// Data is the driver's own.
	Data any
	// Grant, Offers (of a trial) and Err are set when it is done.
	Grant   Grant
	Offers  []Offer
	Reasons []Reason
	Err     error

	phase    phase
	ask      channel.ID             // of this attempt
	tries    int                    // attempts before
	before   []Reason               // why the last one failed
	deadline time.Duration          // it waits so long
	sent     time.Duration          // when this attempt began
	patience time.Duration          // who has not answered by then does not count
	gather   time.Duration          // better offers are waited for until then; 0: there are not enough yet
	again    time.Duration          // when the request is said again
	said     int                    // how often this attempt was said
	wide     bool                   // everybody has been asked
	telling  int                    // how often it was said and Asked has not told to whom: somebody is not known yet
	few      bool                   // any who have room will do: the first offers are taken, and nobody can have granted it before
	asked    map[channel.NodeID]int // who was asked; how many managers it has, 0 while not known
	answers  map[string]*answer     // the last of each manager
	chosen   []*answer              // whose offers were accepted
	accepted time.Duration          // when their accepts were first sent
	resend   time.Duration          // when they are sent again
	due      time.Duration
	over     time.Duration // when it was granted
}

type phase uint8

const (
	gathering phase = iota
	accepting
	finished
)

// answer is what one manager said.
type answer struct {
	offer  Offer
	until  time.Duration // the offer is held so long; 0: there is none
	queued bool
	reason Reason
	lease  *held // granted
	old    bool  // before this attempt: nothing to accept or take back
}

// reply is a message as it came.
type reply struct {
	from channel.NodeID
	load float64
	m    *Message
}

func (a *Asking) key() key { return key{a.Holder, a.ID} }

// Open begins a request, or finds the one that runs or was granted under its id
// already: then fresh is false, and it may be over (Over). The error is a
// *FieldError or a *Refusal.
func (s *Asker) Open(now time.Duration, r Request, trial bool, out []Effect) (a *Asking, fresh bool, _ []Effect, _ error) {
	if err := r.Check(); err != nil {
		return nil, false, out, err
	}
	r = r.withDefaults()
	if have := s.keys[key{r.Holder, r.ID}]; have != nil && r.ID != "" && !trial {
		if err := s.same(have, r); err != nil {
			return nil, false, out, err
		}
		return have, false, out, nil
	}
	if err := s.tooMany(r.Holder); err != nil {
		return nil, false, out, err
	}
	a = &Asking{Request: r, Trial: trial, deadline: now + r.Wait}
	if trial {
		a.deadline = now
	}
	s.counts[r.Holder]++
	return a, true, s.attempt(now, a, out), nil
}

// same is nil when have is the same request as r and its leases live.
func (s *Asker) same(have *Asking, r Request) error {
	if !slices.Equal(have.Needs, r.Needs) || have.Nodes != r.Nodes || have.Selector.String() != r.Selector.String() {
		return &Refusal{Reason{Code: CodeReused, Detail: fmt.Sprintf("request %.40q was for %.60s from %d nodes", r.ID, have.Needs, have.Nodes)}}
	}
	if have.phase != finished {
		return nil
	}
	for i, l := range have.Grant.Leases {
		h := s.held[l.ID]
		if h == nil {
			return &Refusal{Reason{Manager: l.ID.Manager, Code: CodeEnded, Detail: fmt.Sprintf("lease %v was granted for it and is over", l.ID)}}
		}
		have.Grant.Leases[i] = h.Lease
	}
	return nil
}

// Over reports whether the request is done.
func (a *Asking) Over() bool { return a.phase == finished }

// attempt asks everybody anew.
func (s *Asker) attempt(now time.Duration, a *Asking, out []Effect) []Effect {
	delete(s.asks, a.ask)
	a.ask = s.cfg.NextID()
	a.few = a.ID == "" && !a.Trial && a.Criteria == First
	if a.ID == "" && !a.Trial {
		a.ID = a.ask.String()
	}
	if !a.Trial {
		s.keys[a.key()] = a
	}
	s.asks[a.ask] = a
	a.phase, a.sent, a.patience, a.gather, a.said = gathering, now, now+s.cfg.Patience, 0, 0
	a.asked, a.answers, a.chosen, a.wide = map[channel.NodeID]int{}, map[string]*answer{}, nil, a.Trial
	return s.submit(now, a, out)
}

// submit says the request, or says it again: to those who came since, and to
// those who said no for now.
func (s *Asker) submit(now time.Duration, a *Asking, out []Effect) []Effect {
	a.again = now + min(s.cfg.Patience<<a.said, 5*s.cfg.Patience)
	a.said = min(a.said+1, 10)
	a.telling++
	s.plan(now, a)
	return append(out, Effect{Do: DoSubmit, Asking: a, Everyone: a.wide, Message: Message{
		Kind: MsgRequest, Ask: a.ask, ID: a.ID, Holder: a.Holder, Needs: a.Needs, Selector: a.Selector.String(),
		TTL: a.TTL, Wait: max(a.deadline-now, 0), Trial: a.Trial,
	}})
}

// Asked says which nodes a DoSubmit reached, and whether the OUT-filter left
// somebody out.
func (s *Asker) Asked(now time.Duration, a *Asking, nodes []channel.NodeID, narrowed bool, out []Effect) []Effect {
	a.telling--
	if a.phase != gathering || a.asked == nil {
		return out // it went on in the meantime
	}
	a.wide = a.wide || !narrowed
	for _, n := range nodes {
		if _, known := a.asked[n]; !known {
			a.asked[n] = 0
		}
	}
	return s.weigh(now, a, out)
}

// plan has Tick look at a when time alone changes something.
func (s *Asker) plan(now time.Duration, a *Asking) {
	at := a.again
	if a.phase == accepting {
		at = min(a.resend, a.patience)
	} else if a.asked != nil {
		for _, t := range []time.Duration{a.patience, a.deadline, a.gather} {
			if t > now {
				at = min(at, t)
			}
		}
	}
	if at = max(at, now+1); at != a.due {
		a.due = at
		s.agenda.add(entry{at, a})
	}
}

func (s *Asker) askingDue(now time.Duration, a *Asking, out []Effect) []Effect {
	switch {
	case a.phase == finished:
		return out
	case a.phase == accepting:
		return s.acceptDue(now, a, out)
	case a.asked == nil: // between two attempts
		return s.attempt(now, a, out)
	case now >= a.again && now < a.deadline:
		out = s.submit(now, a, out)
	}
	return s.weigh(now, a, out)
}

// answerOf finds or makes the place of a manager's answer.
func (a *Asking) answerOf(r reply) *answer {
	w := a.answers[r.m.Manager]
	if w == nil {
		w = &answer{}
		a.answers[r.m.Manager] = w
	}
	w.offer.Manager, w.offer.Node = r.m.Manager, r.from
	if r.m.Managers > 0 && len(a.asked) < 1<<16 {
		a.asked[r.from] = r.m.Managers
	}
	return w
}

// offer takes an offer; while others are being accepted it is too late.
func (s *Asker) offer(now time.Duration, a *Asking, r reply, out []Effect) []Effect {
	if a.phase == accepting || a.asked == nil {
		for _, w := range a.chosen {
			if w.offer.Manager == r.m.Manager {
				return out // it came twice
			}
		}
		return s.tell(r.from, r.m.Manager, Message{Kind: MsgDecline, Ask: a.ask}, out)
	}
	w := a.answerOf(r)
	if w.offer.Trip == 0 {
		w.offer.Trip = now - a.sent
	}
	w.offer.Free, w.offer.Capacity, w.offer.Load, w.offer.Tags = r.m.Free, r.m.Capacity, r.load, parseTags(r.m.Tags)
	w.until, w.queued, w.reason = now+r.m.Wait, false, Reason{}
	if a.Trial {
		w.until = now + MaxWait // as long as it is looked at
	}
	return s.weigh(now, a, out)
}

// refuse takes a no: to the request, or to an accept.
func (s *Asker) refuse(now time.Duration, a *Asking, r reply, out []Effect) []Effect {
	reason := r.m.Reason
	reason.Manager = r.m.Manager
	if a.phase == accepting {
		for _, w := range a.chosen {
			if w.offer.Manager == r.m.Manager && w.lease == nil {
				w.reason = reason
				return s.broken(now, a, out)
			}
		}
		return out
	}
	if a.asked == nil {
		return out
	}
	w := a.answerOf(r)
	if w.lease != nil {
		return out
	}
	w.until, w.queued, w.reason = 0, r.m.Wait > 0, reason
	return s.weigh(now, a, out)
}

// grant takes a lease: of an accept, or, while offers are gathered, of an earlier
// time that the same id was asked for.
func (s *Asker) grant(now time.Duration, a *Asking, r reply, out []Effect) []Effect {
	if a.asked == nil {
		return out
	}
	if a.phase == gathering {
		lease := r.m.lease(r.from, a.sent, s.cfg.Start)
		if lease.until <= now {
			return out // too little is known of how long it lasts
		}
		w := a.answerOf(r)
		w.lease, w.old, w.until, w.queued = &lease, true, 0, false
		return s.weigh(now, a, out)
	}
	for _, w := range a.chosen {
		if w.offer.Manager == r.m.Manager && w.lease == nil {
			lease := r.m.lease(r.from, a.accepted, s.cfg.Start)
			w.lease = &lease
			return s.complete(now, a, out)
		}
	}
	return out
}

// allAnswered reports whether nobody is left to wait for. Answers may be faster
// than the news of who was asked.
func (a *Asking) allAnswered() bool {
	if a.telling > 0 {
		return false
	}
	said := map[channel.NodeID]int{}
	for _, w := range a.answers {
		said[w.offer.Node]++
	}
	for node, managers := range a.asked {
		if managers == 0 || said[node] < managers {
			return false
		}
	}
	return true
}

// weigh accepts what is best as soon as it is enough, and gives up when it cannot
// become enough.
func (s *Asker) weigh(now time.Duration, a *Asking, out []Effect) []Effect {
	if a.phase != gathering || a.asked == nil {
		return out
	}
	all := a.allAnswered() || now >= a.patience
	if a.Trial {
		if all {
			return s.tried(now, a, out)
		}
		return out
	}
	if a.gather > now && a.Criteria != First && !all {
		return out // there is enough, and better may come
	}
	best := a.best(now)
	enough := len(best) >= a.Nodes
	if enough && a.gather == 0 {
		a.gather = now + s.cfg.Gather
		s.plan(now, a)
	}
	switch {
	case enough && (a.Criteria == First || all || now >= a.gather):
		return s.accept(now, a, best[:a.Nodes], out)
	case enough:
		return out
	case a.hopeless():
		return s.fail(now, a, out)
	case all && !a.wide:
		a.wide = true
		a.patience = now + s.cfg.Patience
		return s.submit(now, a, out)
	case all && now >= a.deadline:
		return s.fail(now, a, out)
	}
	s.plan(now, a)
	return out
}

// hopeless finds an answer after which no other helps: the id is another's.
func (a *Asking) hopeless() bool {
	for _, w := range a.answers {
		if w.reason.Code == CodeReused || w.reason.Code == CodeEnded {
			return true
		}
	}
	return false
}

// best is the usable answers, one for each node, best first.
func (a *Asking) best(now time.Duration) []*answer {
	var all []*answer
	for _, name := range slices.Sorted(maps.Keys(a.answers)) {
		if w := a.answers[name]; w.lease != nil || w.until > now {
			all = append(all, w)
		}
	}
	slices.SortStableFunc(all, func(x, y *answer) int { return a.Criteria.compare(x, y) })
	nodes := map[channel.NodeID]bool{}
	return slices.DeleteFunc(all, func(w *answer) bool {
		twice := nodes[w.offer.Node]
		nodes[w.offer.Node] = true
		return twice
	})
}

// tried ends a dry run.
func (s *Asker) tried(now time.Duration, a *Asking, out []Effect) []Effect {
	for _, w := range a.best(now) {
		a.Offers = append(a.Offers, w.offer)
	}
	a.Reasons = s.why(a)
	if len(a.Offers) < a.Nodes {
		a.Err = &NoOfferError{Wanted: a.Nodes, Offered: len(a.Offers), Reasons: a.Reasons}
	}
	return s.finish(now, a, out)
}
