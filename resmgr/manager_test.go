package resmgr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
	"kecho/channel/channeltest"
)

// crew is managers on nodes of one hub, for a test in a bubble.
type crew struct {
	t        *testing.T
	hub      *channeltest.Hub
	nodes    []*channel.Node
	managers []*Manager

	mu      sync.Mutex
	changes []string // of all, in order; guarded by mu
}

// newCrew starts a node for each of capacities, "" for one without a manager;
// they have settled when it returns.
func newCrew(t *testing.T, capacities ...string) *crew {
	c := &crew{t: t}
	c.nodes, c.hub = channeltest.Nodes(t, len(capacities))
	for i, ch := range channeltest.Open(t, "resources", c.nodes...) {
		c.managers = append(c.managers, c.run(c.nodes[i], ch, fmt.Sprintf("web%d", i+1), capacities[i], nil))
	}
	time.Sleep(2 * time.Second)
	return c
}

func (c *crew) run(n *channel.Node, ch *channel.Channel, name, capacity string, j Journal) *Manager {
	cfg := Config{Node: n, Channel: ch, Journal: j, Changed: func(change Change) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.changes = append(c.changes, fmt.Sprintf("%s: %v %v", name, change.Lease.ID, change.Kind))
	}}
	if capacity != "" {
		amounts, err := ParseAmounts(capacity)
		if err != nil {
			c.t.Fatal(err)
		}
		cfg.Shares = []Share{{Name: name, Capacity: amounts, Tags: Tags{"name": name}}}
	}
	m, err := New(cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { m.Run(c.t.Context()) })
	c.t.Cleanup(wg.Wait)
	return m
}

func (c *crew) changed() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.changes, "; ")
}

func need(t *testing.T, text string) Amounts {
	a, err := ParseAmounts(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestManagerGrants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, "", "cpu=2", "cpu=4,gpu=1")
		asks := c.managers[0]
		offers, reasons, err := asks.Offers(t.Context(), Request{Holder: "h", Needs: need(t, "gpu=1")})
		if err != nil || len(offers) != 1 || offers[0].Manager != "web3" || offers[0].Tags["name"] != "web3" || len(reasons) != 1 || reasons[0].Code != CodeUnknownKind {
			t.Errorf("offers %+v, reasons %v, %v", offers, reasons, err)
		}
		began := time.Now()
		grant, err := asks.Request(t.Context(), Request{Holder: "h", Needs: need(t, "cpu=2"), Nodes: 2})
		if err != nil || len(grant.Leases) != 2 {
			t.Fatal(grant, err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v of a time that only waiting takes", took)
		}
		l := grant.Leases[0]
		if l.Until.Sub(began) != DefaultTTL || l.Node != c.nodes[1].ID() || l.Holder != "h" || len(asks.Held()) != 2 || len(c.managers[1].Granted()) != 1 {
			t.Errorf("lease %+v, held %v", l, asks.Held())
		}
		time.Sleep(20 * time.Second)
		l, err = asks.Renew(t.Context(), l.ID, "h", 0)
		if err != nil || l.Until.Sub(began) != 50*time.Second {
			t.Errorf("renewed %+v, %v", l, err)
		}
		time.Sleep(11 * time.Second)
		if err := c.managers[2].Release(t.Context(), l.ID, "h"); err != nil { // through another node
			t.Error(err)
		}
		if err := asks.Release(t.Context(), l.ID, "h"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if want := "web1: web2:1 granted; web1: web3:1 granted; web1: web2:1 renewed; web1: web3:1 expired; web1: web2:1 released"; c.changed() != want {
			t.Errorf("%s, want %s", c.changed(), want)
		}
	})
}

func TestManagerRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, "", "cpu=2")
		asks := c.managers[0]
		_, err := asks.Request(t.Context(), Request{Holder: "h", Needs: need(t, "cpu=3")})
		var none *NoOfferError
		if !errors.As(err, &none) || len(none.Reasons) != 1 || none.Reasons[0].String() != "cpu: 3 asked, it has 2 in all" {
			t.Error(err)
		}
		_, err = asks.Request(t.Context(), Request{Holder: "", Needs: need(t, "cpu=3")})
		if !errors.Is(err, ErrInvalid) {
			t.Error(err)
		}
		_, err = asks.Renew(t.Context(), LeaseID{"web2", 9}, "h", 0)
		if !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		_, err = asks.Renew(t.Context(), LeaseID{"web9", 9}, "h", 0)
		if !errors.Is(err, ErrUnreachable) {
			t.Error(err)
		}
		grant, err := asks.Request(t.Context(), Request{Holder: "h", Needs: need(t, "cpu=1")})
		if err != nil {
			t.Fatal(err)
		}
		if err := asks.Release(t.Context(), grant.Leases[0].ID, "k"); !errors.Is(err, ErrNotHolder) {
			t.Error(err)
		}
		if err := asks.Release(t.Context(), grant.Leases[0].ID, "h"); err != nil {
			t.Error(err)
		}
		if _, err := asks.Renew(t.Context(), grant.Leases[0].ID, "h", 0); !errors.Is(err, ErrEnded) {
			t.Error(err)
		}
	})
}

// TestManagerWaits: who waits is served, who goes away is not, and the one who
// asks the same twice has one lease.
func TestManagerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, "", "gpu=1")
		asks := c.managers[0]
		first, err := asks.Request(t.Context(), Request{Holder: "h", Needs: need(t, "gpu=1")})
		if err != nil {
			t.Fatal(err)
		}
		r := Request{Holder: "k", ID: "x", Needs: need(t, "gpu=1"), Wait: time.Minute}
		gone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := asks.Request(gone, Request{Holder: "l", Needs: need(t, "gpu=1"), Wait: time.Minute}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if grant, err := asks.Request(t.Context(), r); err != nil || grant.Leases[0].ID != (LeaseID{"web2", 2}) {
					t.Error(grant, err)
				}
			})
		}
		time.Sleep(5 * time.Second)
		if err := asks.Release(t.Context(), first.Leases[0].ID, "h"); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if s := c.managers[1].Status()[0]; s.Waiting != 0 || s.Leases != 1 || s.Fence != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// TestManagerLeavesAndDies: holders hear of both.
func TestManagerLeavesAndDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, "", "gpu=1", "gpu=1")
		if _, err := c.managers[0].Request(t.Context(), Request{Holder: "h", Needs: need(t, "gpu=1"), Nodes: 2}); err != nil {
			t.Fatal(err)
		}
		c.managers[1].Leave()
		c.hub.Down(c.nodes[0].ID(), c.nodes[2].ID())
		time.Sleep(time.Second)
		if got := c.changed(); !strings.Contains(got, "web1: web2:1 ended") || !strings.Contains(got, "web1: web3:1 lost") {
			t.Error(got)
		}
		_, err := c.managers[0].Request(t.Context(), Request{Holder: "h", Needs: need(t, "gpu=1")})
		if err == nil || !strings.Contains(err.Error(), "web2: it has left the group") {
			t.Error(err)
		}
		c.managers[1].Join()
		time.Sleep(time.Minute)
		if _, err := c.managers[0].Request(t.Context(), Request{Holder: "h", Needs: need(t, "gpu=1")}); err != nil {
			t.Error(err)
		}
	})
}

// TestManagerAsksWhoHasRoom: with enough room elsewhere the full are left out.
func TestManagerAsksWhoHasRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, "", "gpu=1", "gpu=1", "gpu=1", "gpu=1", "cpu=1")
		for range 2 { // of web2 and web3: of equals, by name
			if _, err := c.managers[0].Request(t.Context(), Request{Holder: "h", Needs: need(t, "gpu=1"), Criteria: Pack}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		full := c.managers[1]
		recorded := channeltest.Record(t, full.cfg.Channel, channel.Match{Type: "request"})
		if _, err := c.managers[0].Request(t.Context(), Request{Holder: "h", Needs: need(t, "cpu=1"), Selector: Selector{}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if n := len(recorded.Events()); n != 1 { // one with room is too few to leave the others out
			t.Errorf("%d requests came to who has no cpu, want 1", n)
		}
		c.managers[0].enter(func(time.Duration) { // one more that says it has room, and is not there
			for i := range 3 {
				c.managers[0].noteReport(c.nodes[5].ID(), Message{Manager: fmt.Sprint("m", i), Free: need(t, "gpu=1")})
			}
		})
		if _, err := c.managers[0].Request(t.Context(), Request{Holder: "h", Needs: need(t, "gpu=1")}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if n := len(recorded.Events()); n != 1 {
			t.Errorf("a request came to who has no room")
		}
	})
}

// TestManagerAsksFew: who takes the first offers asks this node alone, or a few;
// everybody when that is not enough, or when somebody may have granted it before.
func TestManagerAsksFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, "gpu=1", "gpu=9", "gpu=9", "gpu=9", "gpu=9", "gpu=9", "")
		time.Sleep(reportRefresh) // all have said that they have settled
		var recorded []*channeltest.Recorder
		for _, m := range c.managers {
			recorded = append(recorded, channeltest.Record(t, m.cfg.Channel, channel.Match{Type: "request"}))
		}
		ask := func(from int, r Request) Lease {
			t.Helper()
			r.Holder, r.Needs = "h", need(t, "gpu=1")
			began := time.Now()
			grant, err := c.managers[from].Request(t.Context(), r)
			if took := time.Since(began); err != nil || took != 0 {
				t.Fatalf("%v after %v of a time that only waiting takes", err, took)
			}
			time.Sleep(time.Second) // reports
			return grant.Leases[0]
		}
		asked := 0
		wantAsked := func(want int, what string) {
			t.Helper()
			sum := -asked
			for _, r := range recorded {
				sum += len(r.Events())
			}
			if asked += sum; sum != want {
				t.Errorf("%s: %d nodes were asked, want %d", what, sum, want)
			}
		}
		if l := ask(0, Request{}); l.ID.Manager != "web1" {
			t.Errorf("lease %v, want this node's own", l.ID)
		}
		wantAsked(1, "this node has room")
		ask(6, Request{})
		wantAsked(3, "others have room")
		ask(6, Request{Nodes: 2})
		wantAsked(4, "two of them are needed")
		ask(1, Request{ID: "job"})
		wantAsked(5, "it may have been granted elsewhere; one is known to be full")
	})
}

// TestManagerAsksEverybodyThen: when the few who were asked have no room after
// all, everybody is asked at once.
func TestManagerAsksEverybodyThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, "gpu=1", "gpu=1", "gpu=1", "gpu=1", "")
		gpu := Request{Holder: "h", Needs: need(t, "gpu=1")}
		for _, m := range c.managers[:3] { // all but web4 are full
			if _, err := m.Request(t.Context(), gpu); err != nil {
				t.Fatal(err)
			}
		}
		asks := c.managers[4]
		recorded := channeltest.Record(t, c.managers[3].cfg.Channel, channel.Match{Type: "request"})
		left := false
		for range 20 {
			time.Sleep(time.Second)
			asks.enter(func(time.Duration) { // and say that they are not
				for i, m := range c.managers[:4] {
					asks.noteReport(m.self, Message{Manager: fmt.Sprint("web", i+1), Free: gpu.Needs})
				}
			})
			before, began := len(recorded.Events()), time.Now()
			a, err := asks.ask(t.Context(), gpu, false)
			if took := time.Since(began); err != nil || a.Err != nil || took != 0 {
				t.Fatalf("%v, %v after %v of a time that only waiting takes", err, a.Err, took)
			}
			synctest.Wait()
			if n := len(recorded.Events()) - before; n != 1 {
				t.Fatalf("who has room was asked %d times", n)
			}
			left = left || a.said > 1 // web4 was not among the first
			if err := asks.Release(t.Context(), a.Grant.Leases[0].ID, "h"); err != nil {
				t.Fatal(err)
			}
		}
		if !left {
			t.Error("all were asked at once, always")
		}
	})
}

// flaky is a journal that can be full.
type flaky struct {
	MemoryJournal
	mu   sync.Mutex
	full bool // guarded by mu
}

func (j *flaky) Write(entries []Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.full {
		return errFull
	}
	return j.MemoryJournal.Write(entries)
}

func (j *flaky) set(full bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.full = full
}

// TestManagerJournal: a full disk is said and gets over; a restart holds what
// was granted.
func TestManagerJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crew{t: t}
		c.nodes, c.hub = channeltest.Nodes(t, 2)
		chans := channeltest.Open(t, "resources", c.nodes...)
		disk := new(flaky)
		asks := c.run(c.nodes[0], chans[0], "web1", "", nil)
		c.run(c.nodes[1], chans[1], "web2", "cpu=2", disk)
		time.Sleep(2 * time.Second)
		disk.set(true)
		r := Request{Holder: "h", ID: "x", Needs: need(t, "cpu=2")}
		if _, err := asks.Request(t.Context(), r); err == nil || !strings.Contains(err.Error(), "web2: its journal cannot be written: no space left on device") {
			t.Error(err)
		}
		disk.set(false)
		time.Sleep(3 * time.Second)
		grant, err := asks.Request(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		had, _ := disk.Recover("web2")
		if len(had.Leases) != 1 || had.Leases[0].Fence != grant.Leases[0].ID.Fence || had.Fence != had.Leases[0].Fence {
			t.Errorf("%+v", had)
		}
		again, err := New(Config{Node: c.nodes[1], Channel: chans[1], Shares: []Share{{Name: "web2", Capacity: need(t, "cpu=2")}}, Journal: disk})
		if err != nil || len(again.Granted()) != 1 || again.Status()[0].Free.Of(CPU) != 0 {
			t.Error(again.Granted(), err)
		}
	})
}

func TestManagerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _ := channeltest.Nodes(t, 1)
		chans := channeltest.Open(t, "resources", nodes...)
		m, err := New(Config{Node: nodes[0], Channel: chans[0], Shares: []Share{{Name: "a", Capacity: need(t, "cpu=1")}}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { m.Run(ctx) })
		time.Sleep(2 * time.Second)
		if _, err := m.Request(t.Context(), Request{Holder: "h", Needs: need(t, "cpu=1")}); err != nil {
			t.Error(err) // of its own
		}
		wg.Go(func() {
			if _, err := m.Request(t.Context(), Request{Holder: "k", Needs: need(t, "cpu=1"), Wait: time.Minute}); !errors.Is(err, ErrStopped) {
				t.Error(err)
			}
		})
		time.Sleep(time.Second)
		cancel()
		wg.Wait()
		if _, err := m.Request(t.Context(), Request{Holder: "k", Needs: need(t, "cpu=1")}); !errors.Is(err, ErrStopped) {
			t.Error(err)
		}
		if m, err := New(Config{Node: nodes[0], Channel: chans[0], Shares: []Share{{Name: "a", Capacity: need(t, "cpu=1")}}, FenceFrom: 99}); err != nil || m.Status()[0].Fence != 99 {
			t.Error(err)
		}
		if _, err := New(Config{Node: nodes[0], Channel: chans[0], Shares: slices.Repeat([]Share{{Name: "a", Capacity: need(t, "cpu=1")}}, 2)}); err == nil {
			t.Error("two of one name pass")
		}
	})
}
