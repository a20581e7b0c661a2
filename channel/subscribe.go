package channel

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Match says which events a subscription gets.
type Match struct {
	// Type is the type of the events. Zero: any.
	Type Type
	// Source is the node that submitted them. Zero: any.
	Source NodeID
}

// Handler gets an event. The event is lent: see Event.
type Handler func(e *Event)

// SubscriptionConfig is what a subscription is made of.
type SubscriptionConfig struct {
	// Match says which events.
	Match Match
	// Handler is called for each of them.
	Handler Handler

	// Interests, in place of Match, is for a gateway: Handler is called once for
	// each event that matches any of their terms, and nodes that ask for interests
	// (WatchInterests) are told these, with their paths. At most MaxInterests.
	Interests []Interest

	// All, in place of Match, correlates events: Together is called when each
	// of the groups is satisfied, which an event does that matches any of the
	// group's terms. So {{a}, {b}} is a AND b, {{a, b}} is a OR b, and
	// {{a}, {b, c}} is a AND (b OR c). At most MaxTerms terms in all. Of
	// several events for one group the newest is held; one whose deadline
	// passes meanwhile is dropped.
	All [][]Match
	// Together, in place of Handler, gets the events that satisfied All, in
	// the order of its groups, each once. They are the callee's.
	Together func(set []*Event)

	// Every, when set, is how often Elapsed is called with Interval.
	Every time.Duration
	// Silence, when set, is a watchdog: Elapsed is called with Silence when
	// nothing has come for so long (with All: no whole set), once until
	// something comes again.
	Silence time.Duration
	// Elapsed is called when a time has passed: before what waits in the
	// queue, on a goroutine that is not the link's, and unless the subscription
	// is inline never while a handler is called. Times pass while Run runs and
	// the subscription is not suspended; if it is late, several times of one
	// kind are one call.
	Elapsed func(t Timeout)

	// Inline calls Handler or Together on the reader of the link, or by the Submit that
	// the event comes from, without a queue: see SubscribeInline.
	Inline bool
	// Priority says who is given an event first where several subscriptions
	// of the channel match it. Zero: Normal.
	Priority Priority
	// Queue is how many events wait for the handler at most, beside the one
	// that it is at. Of those that wait the most urgent are handed over first.
	// Zero: MaxQueue.
	Queue int
	// QueueBytes bounds the bytes of their bodies and attributes. Zero:
	// MaxQueueBytes.
	QueueBytes int
	// WhenFull is what happens when there is no room. Zero: Refuse.
	WhenFull WhenFull
	// Key tells the events apart of which KeepNewest keeps the newest; it must
	// be quick and may be called by several goroutines at once. Nil: the type
	// and the source. Correlated sets have one key in all.
	Key func(e *Event) string
}

// What waits for a subscription's handler at most, beside the event that it is
// at, where its configuration does not say otherwise.
const (
	MaxQueue      = 1024    // events
	MaxQueueBytes = 4 << 20 // bytes of their bodies and attributes
)

// SubscribeWith subscribes by all the rules that there are. The error names
// what is wrong with cfg, or is ErrClosed.
func (c *Channel) SubscribeWith(cfg SubscriptionConfig) (*Subscription, error) {
	cfg.All = cloneGroups(cfg.All)
	cfg.Interests = slices.Clone(cfg.Interests)
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("subscribe to channel %q: %w", c.name, err)
	}
	s := &Subscription{cfg: cfg, terms: cfg.terms(), priority: cfg.Priority, channel: c}
	if len(s.terms) > 8 {
		s.termSet = make(map[Match]bool, len(s.terms))
		for _, m := range s.terms {
			s.termSet[m] = true
		}
	}
	s.together = correlation{groups: cfg.All, have: make([]*Event, len(cfg.All))}
	s.timeouts = newTimeouts(s)
	s.waiting = backlog{maxEvents: cfg.Queue, maxBytes: cfg.QueueBytes, rule: cfg.WhenFull}
	if !c.subs.add(s) {
		return nil, fmt.Errorf("subscribe to channel %q: %w", c.name, ErrClosed)
	}
	c.interest(1, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed.Load() {
		s.startTimeoutsLocked()
	}
	return s, nil
}

// complete checks cfg and fills in what is zero.
func (cfg *SubscriptionConfig) complete() error {
	if err := errors.Join(cfg.checkTerms(), cfg.checkTimes()); err != nil {
		return err
	}
	switch {
	case cfg.Priority < Bulk || cfg.Priority > Urgent:
		return fmt.Errorf("priority %d: want Urgent, Normal or Bulk", cfg.Priority)
	case cfg.Queue < 0 || cfg.QueueBytes < 0:
		return fmt.Errorf("a queue of %d events and %d bytes: want 0, which stands for %d and %d, or more", cfg.Queue, cfg.QueueBytes, MaxQueue, MaxQueueBytes)
	case cfg.WhenFull < Refuse || cfg.WhenFull > KeepNewest:
		return fmt.Errorf("rule %d for a full queue: want Refuse, DropOldest or KeepNewest", cfg.WhenFull)
	case cfg.Key != nil && cfg.WhenFull != KeepNewest:
		return errors.New("there is a Key, but the rule for a full queue is not KeepNewest")
	case cfg.Inline && (cfg.Queue > 0 || cfg.QueueBytes > 0 || cfg.WhenFull != Refuse):
		return errors.New("an inline handler has no queue: leave Queue, QueueBytes and WhenFull out, or Inline")
	}
	if cfg.Queue == 0 {
		cfg.Queue = MaxQueue
	}
	if cfg.QueueBytes == 0 {
		cfg.QueueBytes = MaxQueueBytes
	}
	if cfg.WhenFull == KeepNewest && cfg.Key == nil {
		cfg.Key = typeAndSource
	}
	return nil
}

// checkTerms checks what it is about and who is told.
func (cfg *SubscriptionConfig) checkTerms() error {
	switch {
	case cfg.All == nil && cfg.Together == nil:
		if cfg.Handler == nil {
			return errors.New("the handler is nil")
		}
	case cfg.Together == nil || len(cfg.All) == 0:
		return errors.New("the fields All and Together go together: what is correlated, and who gets the sets")
	case cfg.Handler != nil || cfg.Match != Match{} || cfg.Key != nil || cfg.Interests != nil:
		return errors.New("there is a correlation (All), so Match, Handler and Key must be left out, and Interests")
	}
	if cfg.Interests != nil {
		if cfg.Match != (Match{}) {
			return errors.New("there are Interests, so Match must be left out")
		}
		if err := checkInterests(cfg.Interests); err != nil {
			return fmt.Errorf("interests: %w", err)
		}
		if !slices.ContainsFunc(cfg.Interests, func(in Interest) bool { return len(in.Terms) > 0 }) {
			return errors.New("the interests have no terms: nothing would match them")
		}
	}
	n := 0
	for i, group := range cfg.All {
		if n += len(group); len(group) == 0 {
			return fmt.Errorf("group %d of the correlation has no terms: nothing would satisfy it", i+1)
		}
	}
	if n > MaxTerms {
		return fmt.Errorf("a correlation of %d terms, at most %d", n, MaxTerms)
	}
	for _, m := range cfg.terms() {
		if len(m.Type) > MaxName {
			return fmt.Errorf("type %.80q is longer than %d bytes", m.Type, MaxName)
		}
	}
	return nil
}

func (cfg *SubscriptionConfig) checkTimes() error {
	for _, d := range []time.Duration{cfg.Every, cfg.Silence} {
		if d != 0 && d < minTimeout {
			return fmt.Errorf("a timeout of %v: want 0, which stands for none, or at least %v", d, minTimeout)
		}
	}
	if (cfg.Every > 0 || cfg.Silence > 0) != (cfg.Elapsed != nil) {
		return errors.New("the fields Every and Silence go with Elapsed: when, and who is told")
	}
	return nil
}

// terms is what the table finds the subscription by, none twice.
func (cfg *SubscriptionConfig) terms() []Match {
	groups := cfg.All
	for _, in := range cfg.Interests {
		groups = append(groups, in.Terms)
	}
	if groups == nil {
		return []Match{cfg.Match}
	}
	var terms []Match
	have := make(map[Match]bool)
	for _, group := range groups {
		for _, m := range group {
			if !have[m] {
				have[m] = true
				terms = append(terms, m)
			}
		}
	}
	return terms
}

func cloneGroups(groups [][]Match) [][]Match {
	groups = slices.Clone(groups)
	for i := range groups {
		groups[i] = slices.Clone(groups[i])
	}
	return groups
}

func typeAndSource(e *Event) string {
	return string(e.Type) + "\x00" + strconv.FormatUint(uint64(e.ID.Source), 16)
}
