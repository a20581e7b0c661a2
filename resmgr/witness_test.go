package resmgr

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// witness is what the leases are for: it notices when somebody uses a thing that
// another uses too.
type witness struct {
	mu     sync.Mutex
	used   map[string]Quantity // gpus of each manager, now; guarded by mu
	worst  Quantity
	fences map[LeaseID]string // who had each; guarded by mu
	uses   int
}

func (w *witness) begin(l Lease, who string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.uses++
	w.used[l.ID.Manager] += l.Amounts.Of("gpu")
	w.worst = max(w.worst, w.used[l.ID.Manager])
	if had := w.fences[l.ID]; had != "" {
		return fmt.Errorf("%s has lease %v, which %s had", who, l.ID, had)
	}
	w.fences[l.ID] = who
	return nil
}

func (w *witness) end(l Lease) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.used[l.ID.Manager] -= l.Amounts.Of("gpu")
}

// TestManagersInTrouble has 24 clients of 4 nodes fight for 8 gpus while links
// come and go: nobody ever uses what another uses.
func TestManagersInTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, "gpu=2", "gpu=2", "gpu=2", "gpu=2")
		began := time.Now()
		w := &witness{used: map[string]Quantity{}, fences: map[LeaseID]string{}}
		var wg sync.WaitGroup
		for i := range 24 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(i), 1))
				for n := range 25 {
					work(t, c.managers[i%4], w, r, fmt.Sprintf("client %d.%d", i, n))
				}
			})
		}
		wg.Go(func() {
			r := rand.New(rand.NewPCG(99, 1))
			for range 100 {
				a, b := c.nodes[r.IntN(4)].ID(), c.nodes[r.IntN(4)].ID()
				c.hub.Down(a, b)
				time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
				if r.IntN(3) > 0 {
					c.hub.Up(a, b)
				}
			}
		})
		wg.Wait()
		t.Logf("%d uses in %v, at most %d of 2 at once", w.uses, time.Since(began).Round(time.Second), w.worst)
		if w.worst != 2 || w.uses < 100 {
			t.Errorf("at most %d of 2 gpus were used at once, in %d uses", w.worst, w.uses)
		}
	})
}

// work is one client: it asks, uses what it has for a while, renewing it, stops
// in time, and mostly gives it back.
func work(t *testing.T, m *Manager, w *witness, r *rand.Rand, who string) {
	grant, err := m.Request(t.Context(), Request{
		Holder: who, Needs: Amounts{{"gpu", Quantity(1 + r.IntN(2))}}, Nodes: 1 + r.IntN(2), TTL: 3 * time.Second,
		Wait: time.Duration(r.IntN(10)) * time.Second, Criteria: Criteria(r.IntN(int(criteria))),
	})
	if err != nil {
		if !errors.Is(err, ErrNoOffer) {
			t.Errorf("%s: %v", who, err)
		}
		return
	}
	var wg sync.WaitGroup
	for _, l := range grant.Leases {
		if err := w.begin(l, who); err != nil {
			t.Error(err)
		}
		long, back := time.Duration(r.IntN(8000))*time.Millisecond, r.IntN(4) > 0
		wg.Go(func() { use(t, m, l, time.Now().Add(long)); w.end(l); give(t, m, l, back) })
	}
	wg.Wait()
}

// use renews each second until it is done or, just before, the time is over. A
// renewal that comes after that is too late.
func use(t *testing.T, m *Manager, l Lease, done time.Time) {
	stop := func() time.Duration { return time.Until(l.Until) - time.Millisecond }
	for time.Now().Before(done) && stop() > 0 {
		time.Sleep(min(time.Second, time.Until(done), stop()))
		renewed := make(chan Lease, 1)
		go func() {
			l, _ := m.Renew(t.Context(), l.ID, l.Holder, 0)
			renewed <- l
		}()
		select {
		case now := <-renewed:
			if !now.ID.IsZero() {
				l = now
			}
		case <-time.After(max(stop(), 0)):
			return
		}
	}
}

func give(t *testing.T, m *Manager, l Lease, back bool) {
	if back {
		m.Release(t.Context(), l.ID, l.Holder) // or it expires
	}
}
