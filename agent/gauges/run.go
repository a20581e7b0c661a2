package gauges

import (
	"context"
	"sync"
	"time"
)

// tickEvery is how often rates fall and buckets leak of gauges that nobody
// sets.
const tickEvery = time.Second

// Run makes gauges absent when their time has come, evaluates what time alone
// changes, and tells channels and webhooks of crossings, until ctx is done. What
// was not told then is not told. It is called once.
func (t *Table) Run(ctx context.Context) error {
	var tellers sync.WaitGroup
	defer t.client.CloseIdleConnections()
	defer tellers.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	ticked := time.Now()
	for {
		now := time.Now()
		if now.Sub(ticked) >= tickEvery {
			ticked = now
			t.monitor.Tick()
		}
		next := t.expire(now)
		for _, o := range t.outboxes() {
			if o.begin() {
				tellers.Go(func() { o.empty(ctx) })
			}
		}
		timer.Reset(min(time.Until(next), time.Until(ticked.Add(tickEvery))))
		select {
		case <-timer.C:
		case <-t.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// rouse has Run look again.
func (t *Table) rouse() {
	select {
	case t.wake <- struct{}{}:
	default: // it will
	}
}

// expire makes absent what is due, and says when the next is.
func (t *Table) expire(now time.Time) (next time.Time) {
	next = now.Add(time.Hour)
	var due []*entry
	t.mu.Lock()
	for _, e := range t.entries {
		switch {
		case e.expires.IsZero():
		case e.expires.After(now):
			next = earlier(next, e.expires)
		default:
			due = append(due, e)
		}
	}
	t.looks = next
	t.mu.Unlock()
	for _, e := range due {
		t.expireOne(e, now)
	}
	return next
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// expireOne makes e absent, unless it was set again meanwhile.
func (t *Table) expireOne(e *entry, now time.Time) {
	e.order.Lock()
	defer e.order.Unlock()
	t.mu.Lock()
	due := !e.expires.IsZero() && !e.expires.After(now)
	if due {
		e.expires = time.Time{}
	}
	t.mu.Unlock()
	if due {
		e.gauge.Unset()
	}
}

// outboxes are those that have something to tell.
func (t *Table) outboxes() (all []*outbox) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, watched := range t.thresholds {
		if watched.outbox != nil {
			all = append(all, watched.outbox)
		}
	}
	return all
}
