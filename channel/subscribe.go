package channel

import (
	"errors"
	"fmt"
	"strconv"
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
	// Inline calls Handler on the reader of the link, or by the Submit that
	// the event comes from, without a queue: see SubscribeInline.
	Inline bool
	// Priority says who is given an event first where several subscriptions
	// of the channel match it. Zero: Normal.
	Priority Priority
	// Queue is how many events wait for the handler at most, beside the one
	// that it is at. Zero: MaxQueue.
	Queue int
	// QueueBytes bounds the bytes of their bodies and attributes. Zero:
	// MaxQueueBytes.
	QueueBytes int
	// WhenFull is what happens when there is no room. Zero: Refuse.
	WhenFull WhenFull
	// Key tells the events apart of which KeepNewest keeps the newest; it must
	// be quick and may be called by several goroutines at once. Nil: the type
	// and the source.
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
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("subscribe to channel %q: %w", c.name, err)
	}
	s := &Subscription{cfg: cfg, terms: cfg.terms(), priority: cfg.Priority, channel: c}
	s.waiting = backlog{maxEvents: cfg.Queue, maxBytes: cfg.QueueBytes, rule: cfg.WhenFull}
	if !c.subs.add(s) {
		return nil, fmt.Errorf("subscribe to channel %q: %w", c.name, ErrClosed)
	}
	c.interest(1, 1)
	return s, nil
}

// complete checks cfg and fills in what is zero.
func (cfg *SubscriptionConfig) complete() error {
	switch {
	case cfg.Handler == nil:
		return errors.New("the handler is nil")
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
	for _, m := range cfg.terms() {
		if len(m.Type) > MaxName {
			return fmt.Errorf("type %.80q is longer than %d bytes", m.Type, MaxName)
		}
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

// terms is what the table finds the subscription by, none twice.
func (cfg *SubscriptionConfig) terms() []Match { return []Match{cfg.Match} }

func typeAndSource(e *Event) string {
	return string(e.Type) + "\x00" + strconv.FormatUint(uint64(e.ID.Source), 16)
}
