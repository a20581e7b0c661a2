package channel

import (
	"slices"
	"time"
)

// MaxTerms is how many terms a correlation has at most.
const MaxTerms = 32

// correlation holds events until there is one for each of its groups, each of
// which is satisfied by any of its terms. It is a pure state: its owner locks.
type correlation struct {
	groups [][]Match
	have   []*Event // of each group the newest; nil: none yet
}

// outcome is what one event does to a correlation.
type outcome struct {
	set       []*Event // all groups are satisfied: by these, each once
	displaced int      // events that gave way to a newer one of their group
	late      int      // events whose deadline passed while they were held
}

func (m Match) matches(e *Event) bool {
	return (m.Type == "" || m.Type == e.Type) && (m.Source == 0 || m.Source == e.ID.Source)
}

// offer takes a clone of e for every group that it satisfies.
func (c *correlation) offer(e *Event, now time.Time) (o outcome) {
	for i, held := range c.have {
		if held != nil && !held.Deadline.IsZero() && now.After(held.Deadline) {
			c.have[i] = nil
			if !slices.Contains(c.have, held) {
				o.late++
			}
		}
	}
	clone := e.Clone()
	for i, group := range c.groups {
		if !slices.ContainsFunc(group, func(m Match) bool { return m.matches(e) }) {
			continue
		}
		old := c.have[i]
		c.have[i] = clone
		if old != nil && !slices.Contains(c.have, old) {
			o.displaced++
		}
	}
	if slices.Contains(c.have, nil) {
		return o
	}
	for _, held := range c.have {
		if !slices.Contains(o.set, held) {
			o.set = append(o.set, held)
		}
	}
	clear(c.have)
	return o
}

// clear forgets what is held and says how many events that were.
func (c *correlation) clear() int {
	n := 0
	for i, held := range c.have {
		c.have[i] = nil
		if held != nil && !slices.Contains(c.have, held) {
			n++
		}
	}
	return n
}

// correlate gives e to the subscription's correlation, and on what completes.
func (s *Subscription) correlate(e *Event) {
	s.mu.Lock()
	if s.closed.Load() || s.suspended.Load() {
		s.mu.Unlock()
		return
	}
	o := s.together.offer(e, time.Now())
	s.countOutcome(&o)
	queued := !s.cfg.Inline
	if o.set != nil && queued {
		it := item{set: o.set, since: s.channel.node.elapsed()}
		for _, e := range o.set {
			it.size += e.size()
		}
		if s.admitLocked(&it, it.lane()) {
			s.waiting.put(it)
			s.wakeLocked()
		}
	}
	s.mu.Unlock()
	if o.set == nil {
		return
	}
	s.hear()
	if !queued {
		s.handled()
		s.cfg.Together(o.set)
	}
}

func (s *Subscription) countOutcome(o *outcome) {
	if o.displaced > 0 {
		s.count.conflated.Add(uint64(o.displaced))
		s.channel.count.conflated.Add(uint64(o.displaced))
	}
	if o.late > 0 {
		s.count.late.Add(uint64(o.late))
		s.channel.count.late.Add(uint64(o.late))
	}
}
