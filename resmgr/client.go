package resmgr

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// waiters is who waits for one Asking: several, when a request is asked twice.
type waiters struct {
	count int           // guarded by Manager.mu
	done  chan struct{} // closed when it is over
}

// Request asks the group, and waits for the answer: at most about a second, and
// Request.Wait and the time of a write longer. When ctx ends first the request
// is taken back. The error is a *FieldError, a *Refusal, a *NoOfferError,
// ErrStopped, or ctx's cause.
func (m *Manager) Request(ctx context.Context, r Request) (Grant, error) {
	a, err := m.ask(ctx, r, false)
	if err != nil {
		return Grant{}, err
	}
	return a.Grant, a.Err
}

// Offers is what the group could give now, best first, and why the others
// cannot: nothing is set aside. Too few offers are no error here.
func (m *Manager) Offers(ctx context.Context, r Request) ([]Offer, []Reason, error) {
	a, err := m.ask(ctx, r, true)
	if err != nil {
		return nil, nil, err
	}
	return a.Offers, a.Reasons, nil
}

func (m *Manager) ask(ctx context.Context, r Request, trial bool) (*Asking, error) {
	var a *Asking
	var w *waiters
	err := m.begin(func(now time.Duration) error {
		asking, fresh, out, err := m.asker.Open(now, r, trial, nil)
		if err != nil {
			return err
		}
		if fresh {
			asking.Data = &waiters{done: make(chan struct{})}
		}
		a, w = asking, asking.Data.(*waiters)
		w.count++
		m.takeLocked(nil, out)
		return nil
	})
	if err != nil {
		return nil, err
	}
	select {
	case <-w.done:
		m.mu.Lock()
		defer m.mu.Unlock()
		copied := *a // the core may change it again
		copied.Grant.Leases = slices.Clone(a.Grant.Leases)
		return &copied, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-m.stopped:
		err = ErrStopped
	}
	m.enter(func(now time.Duration) {
		if w.count--; w.count == 0 {
			m.takeLocked(nil, m.asker.Cancel(now, a, nil))
		}
	})
	return nil, err
}

// begin is enter for what cannot be begun when Run has ended.
func (m *Manager) begin(f func(now time.Duration) error) error {
	err := ErrStopped
	m.enter(func(now time.Duration) {
		if !m.over {
			err = f(now)
		}
	})
	return err
}

// Renew gives a lease its whole time again, or another TTL from now on if ttl is
// not zero; it is never shortened. Any node may ask that the lease's manager is
// in the group with. The error is a *FieldError, a *Refusal, ErrStopped or ctx's
// cause; after an error of ErrUnreachable it is not known whether it goes on.
func (m *Manager) Renew(ctx context.Context, id LeaseID, holder string, ttl time.Duration) (Lease, error) {
	c := &Call{Lease: id}
	err := m.call(ctx, c, func(now time.Duration) ([]Effect, error) { return m.asker.Renew(now, c, holder, ttl, nil) })
	return c.Now, err
}

// Release ends a lease; to do it twice is no error for as long as its manager
// remembers it. The errors are those of Renew.
func (m *Manager) Release(ctx context.Context, id LeaseID, holder string) error {
	c := &Call{Lease: id}
	return m.call(ctx, c, func(now time.Duration) ([]Effect, error) { return m.asker.Release(now, c, holder, nil) })
}

func (m *Manager) call(ctx context.Context, c *Call, f func(now time.Duration) ([]Effect, error)) error {
	done := make(chan struct{})
	c.Data = done
	err := m.begin(func(now time.Duration) error {
		out, err := f(now)
		m.takeLocked(nil, out)
		return err
	})
	if err != nil {
		return err
	}
	select {
	case <-done:
		return c.Err
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-m.stopped:
		err = ErrStopped
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asker.Abandon(c)
	return err
}

// Held is every lease that was granted or renewed through this node and lives,
// by id.
func (m *Manager) Held() []Lease {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asker.Held()
}

// Granted is every lease that this node's managers have given, by id. Until is
// when it is free again if it is not renewed.
func (m *Manager) Granted() []Lease {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Lease
	now := m.now()
	for _, g := range m.granters {
		leases, left := g.Granted(now)
		for i, l := range leases {
			l.Node, l.Until = m.self, m.start.Add(now+left[i])
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b Lease) int { return compareLeaseIDs(a.ID, b.ID) })
	return all
}

// Lease is one of Held, or of Granted.
func (m *Manager) Lease(id LeaseID) (Lease, bool) {
	m.mu.Lock()
	l, ok := m.asker.Lease(id)
	m.mu.Unlock()
	if ok {
		return l, true
	}
	for _, l := range m.Granted() {
		if l.ID == id {
			return l, true
		}
	}
	return Lease{}, false
}

// Join makes this node's resources available to the group; they are from the
// start.
func (m *Manager) Join() { m.each((*Granter).Join) }

// Leave takes this node's resources out of the group. Nothing more is granted,
// and the holders of leases hear that they end; they keep them until their time,
// and are not renewed.
func (m *Manager) Leave() { m.each((*Granter).Leave) }

func (m *Manager) each(f func(g *Granter, now time.Duration, out []Effect) []Effect) {
	m.enter(func(now time.Duration) {
		for _, g := range m.granters {
			m.takeLocked(g, f(g, now, nil))
		}
		m.report = min(m.report, now)
		signal(m.kick)
	})
}

// Status is the managers of this node as they are now, by name.
func (m *Manager) Status() []GranterStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []GranterStatus
	now := m.now()
	for _, g := range m.granters {
		all = append(all, g.Status(now))
	}
	slices.SortFunc(all, func(a, b GranterStatus) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
