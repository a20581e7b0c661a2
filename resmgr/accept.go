package resmgr

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"kecho/channel"
)

// compare orders answers, better ones first: what is granted already, then by
// the criteria, then by name.
func (c Criteria) compare(x, y *answer) int {
	if (x.lease != nil) != (y.lease != nil) {
		if x.lease != nil {
			return -1
		}
		return 1
	}
	order := 0
	switch c {
	case Nearest:
		order = cmp.Compare(x.offer.Trip, y.offer.Trip)
	case Spread:
		order = cmp.Compare(y.offer.freeShare(), x.offer.freeShare())
	case Pack:
		order = cmp.Compare(x.offer.freeShare(), y.offer.freeShare())
	case Least:
		order = cmp.Compare(known(x.offer.Load), known(y.offer.Load))
	}
	return cmp.Or(order, strings.Compare(x.offer.Manager, y.offer.Manager))
}

// known is the load, or what is worse than any.
func known(load float64) float64 {
	if load < 0 {
		return 1e9
	}
	return load
}

// accept takes the chosen offers and declines the others.
func (s *Asker) accept(now time.Duration, a *Asking, chosen []*answer, out []Effect) []Effect {
	a.phase, a.chosen = accepting, chosen
	a.accepted, a.patience = now, now+answerIn
	out = s.decline(a, chosen, out)
	out = s.sendAccepts(now, a, out)
	return s.complete(now, a, out)
}

// decline frees what everybody but the chosen has set aside, and their places in
// the queues.
func (s *Asker) decline(a *Asking, chosen []*answer, out []Effect) []Effect {
	if a.Trial {
		return out
	}
	for _, w := range sortedAnswers(a) {
		if (w.until > 0 || w.queued) && !slices.Contains(chosen, w) {
			out = s.tell(w.offer.Node, w.offer.Manager, Message{Kind: MsgDecline, Ask: a.ask}, out)
		}
	}
	return out
}

func sortedAnswers(a *Asking) []*answer {
	var all []*answer
	for _, w := range a.answers {
		all = append(all, w)
	}
	slices.SortFunc(all, func(x, y *answer) int { return strings.Compare(x.offer.Manager, y.offer.Manager) })
	return all
}

func (s *Asker) sendAccepts(now time.Duration, a *Asking, out []Effect) []Effect {
	a.resend = now + resendEvery
	for _, w := range a.chosen {
		if w.lease == nil {
			out = s.tell(w.offer.Node, w.offer.Manager, Message{Kind: MsgAccept, Ask: a.ask}, out)
		}
	}
	s.plan(now, a)
	return out
}

// acceptDue says accepts again that have no answer, up to a time.
func (s *Asker) acceptDue(now time.Duration, a *Asking, out []Effect) []Effect {
	if now < a.patience {
		return s.sendAccepts(now, a, out)
	}
	for _, w := range a.chosen {
		if w.lease == nil {
			w.reason = Reason{Manager: w.offer.Manager, Code: CodeSilent, Detail: "it has offered and does not answer the accept"}
		}
	}
	return s.broken(now, a, out)
}

// broken takes back what has been granted of an attempt that cannot become
// whole, and begins another if there is time.
func (s *Asker) broken(now time.Duration, a *Asking, out []Effect) []Effect {
	out = s.takeBack(now, a, out)
	a.before = s.why(a)
	a.tries++
	switch {
	case now >= a.deadline && a.tries >= fastTries:
		return s.fail(now, a, out)
	case a.tries < fastTries:
		return s.attempt(now, a, out)
	}
	a.phase, a.asked, a.chosen = gathering, nil, nil // between two attempts
	a.again = now + s.cfg.Patience
	a.patience, a.gather = a.again, 0
	s.plan(now, a)
	return out
}

// takeBack undoes what was accepted.
func (s *Asker) takeBack(now time.Duration, a *Asking, out []Effect) []Effect {
	for _, w := range a.chosen {
		if !w.old && (w.reason.Code == "" || w.reason.Code == CodeSilent) {
			out = s.undo(now, w.offer.Node, w.offer.Manager, a.ask, out)
		}
	}
	return out
}

// complete ends the request when every chosen manager has granted.
func (s *Asker) complete(now time.Duration, a *Asking, out []Effect) []Effect {
	if slices.ContainsFunc(a.chosen, func(w *answer) bool { return w.lease == nil }) {
		return out
	}
	for _, w := range a.chosen {
		if w.lease.until <= now {
			w.reason = Reason{Manager: w.offer.Manager, Code: CodeSilent, Detail: "its grant took longer than the ttl"}
			return s.broken(now, a, out)
		}
	}
	a.Grant.Request, a.Grant.Leases = a.ID, nil
	for _, w := range a.chosen {
		out = s.hold(w.lease, Granted, out)
		a.Grant.Leases = append(a.Grant.Leases, w.lease.Lease)
	}
	a.over = now
	s.done = append(s.done, a)
	if len(s.done) > s.cfg.Max {
		s.forget(s.done[0])
		s.done[0], s.done = nil, s.done[1:]
	}
	return s.finish(now, a, out)
}

// hold keeps what is known of a lease; never for shorter than it was known.
func (s *Asker) hold(h *held, what ChangeKind, out []Effect) []Effect {
	if had := s.held[h.ID]; had != nil {
		if had.until > h.until {
			h.until, h.Until = had.until, had.Until
		}
		*had = *h
		h = had
		if what == Granted {
			return out // its client asked twice
		}
	} else {
		if what == Renewed && len(s.held) >= 10*s.cfg.Max {
			return out // it was granted through another node: that one watches over it
		}
		s.held[h.ID] = h
		s.agenda.add(entry{h.until, h})
	}
	return append(out, Effect{Do: DoChange, Change: Change{Kind: what, Lease: h.Lease}})
}

func (s *Asker) heldDue(now time.Duration, h *held, out []Effect) []Effect {
	if s.held[h.ID] != h {
		return out
	}
	if h.until > now {
		s.agenda.add(entry{h.until, h})
		return out
	}
	delete(s.held, h.ID)
	return append(out, Effect{Do: DoChange, Change: Change{Kind: Expired, Lease: h.Lease}})
}

// ended takes that a manager has ended a lease.
func (s *Asker) ended(m *Message, out []Effect) []Effect {
	return s.drop(LeaseID{m.Manager, m.Fence}, Ended, m.Reason, out)
}

func (s *Asker) drop(id LeaseID, what ChangeKind, why Reason, out []Effect) []Effect {
	h := s.held[id]
	if h == nil {
		return out
	}
	delete(s.held, id)
	why.Manager = id.Manager
	return append(out, Effect{Do: DoChange, Change: Change{Kind: what, Lease: h.Lease, Reason: why}})
}

// fail ends a request that nobody can give, with everybody's reason.
func (s *Asker) fail(now time.Duration, a *Asking, out []Effect) []Effect {
	out = s.decline(a, nil, out)
	if a.Reasons = s.why(a); len(a.Reasons) == 0 {
		a.Reasons = a.before
	}
	a.Err = &NoOfferError{Wanted: a.Nodes, Offered: len(a.best(now)), Reasons: a.Reasons}
	s.forget(a)
	return s.finish(now, a, out)
}

// why is the reason of everybody who did not offer.
func (s *Asker) why(a *Asking) []Reason {
	var all []Reason
	answered := map[channel.NodeID]bool{}
	for _, name := range slices.Sorted(maps.Keys(a.answers)) {
		w := a.answers[name]
		answered[w.offer.Node] = true
		if w.reason.Code != "" {
			all = append(all, w.reason)
		}
	}
	for node := range a.asked {
		if answered[node] {
			continue
		}
		for _, name := range s.at(node) {
			all = append(all, Reason{Manager: name, Code: CodeSilent, Detail: "it has not answered"})
		}
	}
	slices.SortStableFunc(all, func(x, y Reason) int { return strings.Compare(x.Manager, y.Manager) })
	return all
}

func (s *Asker) finish(now time.Duration, a *Asking, out []Effect) []Effect {
	a.phase, a.over = finished, now
	delete(s.asks, a.ask)
	if s.counts[a.Holder]--; s.counts[a.Holder] <= 0 {
		delete(s.counts, a.Holder)
	}
	a.asked, a.answers, a.chosen = nil, nil, nil
	return append(out, Effect{Do: DoDone, Asking: a})
}

// Cancel takes a request back whose client has gone: what is set aside or
// granted is free again. There is no DoDone.
func (s *Asker) Cancel(now time.Duration, a *Asking, out []Effect) []Effect {
	switch a.phase {
	case gathering:
		out = s.decline(a, nil, out)
	case accepting:
		out = s.takeBack(now, a, out)
	case finished:
		return out
	}
	s.forget(a)
	out = s.finish(now, a, out)
	return out[:len(out)-1]
}

// lose takes that a node that was asked is gone.
func (s *Asker) lose(now time.Duration, a *Asking, node channel.NodeID, out []Effect) []Effect {
	gone := Reason{Code: CodeGone, Detail: "its node is gone"}
	for _, name := range s.at(node) {
		if a.answers[name] == nil && a.asked != nil {
			a.answers[name] = &answer{offer: Offer{Manager: name, Node: node}}
		}
	}
	for _, w := range a.chosen {
		if w.offer.Node == node {
			w.reason, w.lease = gone, nil
			w.reason.Manager = w.offer.Manager
			return s.broken(now, a, out)
		}
	}
	for name, w := range a.answers {
		if w.offer.Node == node {
			w.until, w.queued, w.lease, w.reason = 0, false, nil, gone
			w.reason.Manager = name
		}
	}
	delete(a.asked, node)
	return s.weigh(now, a, out)
}
