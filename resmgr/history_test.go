package resmgr

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestHistories drives nodes through random histories: requests, renewals and
// releases, clients that go, messages delayed, reordered, lost and doubled,
// pairs that are cut, nodes taken for dead, managers that leave and join, disks
// that are full or slow, processes that die at any moment and start again. What
// it holds is in history.check and linear. It plays 500 histories, and 10,000
// when KECHO_NIGHTLY is set; KECHO_SEED=7 plays the one that failed, and prints
// it.
func TestHistories(t *testing.T) { playHistories(t, 400, false) }

// TestHistoriesOfCopies has journals put back from old copies too. The cluster
// can know of that only what it remembers, so in these histories a client dies
// with its node, no pair is cut, and a node that starts hears at once what the
// others remember.
func TestHistoriesOfCopies(t *testing.T) { playHistories(t, 100, true) }

func playHistories(t *testing.T, n int, copied bool) {
	t.Parallel()
	if os.Getenv("KECHO_NIGHTLY") != "" {
		n *= 20
	}
	if seed, err := strconv.Atoi(os.Getenv("KECHO_SEED")); err == nil {
		h := newHistory(t, uint64(seed), copied)
		h.log = func(format string, args ...any) {
			t.Logf("%v "+strings.TrimSuffix(format, "\n"), append([]any{h.now}, args...)...)
		}
		h.play()
		return
	}
	leases, wide, renewed := 0, 0, 0
	for seed := range n {
		h := newHistory(t, uint64(seed), copied)
		h.play()
		leases, wide, renewed = leases+len(h.order), wide+h.wide, renewed+h.renewed
	}
	t.Logf("%d histories: %d leases, %d requests for several nodes, %d renewals", n, leases, wide, renewed)
	if leases < 4*n || wide < n/2 || renewed < n {
		t.Error("the histories are too quiet to show anything")
	}
}

// history is a rig that is driven by chance.
type history struct {
	*rig
	t       *testing.T
	seed    uint64
	rand    *rand.Rand
	wide    int // requests for several nodes that were granted
	renewed int
	ids     int  // that requests had
	copied  bool // journals are put back from copies
	copies  map[string]Recovered
	beliefs map[LeaseID]*belief
	order   []*belief
	begun   map[LeaseID]int64  // when each was first written
	told    map[LeaseID]string // what each grant said
	highest map[string]Fence   // that was told, of each manager
	events  int64              // logical time
	opened  map[*Asking]int64  // when
	caps    map[string]Amounts // of each manager
}

// belief is what a holder takes for its own, whatever it may hear.
type belief struct {
	Lease
	at       *rigNode
	node     uint64 // the life of its node
	call     int64  // when it was asked for, in events
	told     int64  // when it was granted
	ended    int64  // when it was given back or over; 0: it is held
	released bool
}

func newHistory(t *testing.T, seed uint64, copied bool) *history {
	h := &history{
		t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 0)), copied: copied,
		rig:     &rig{cut: map[[2]string]bool{}, log: func(string, ...any) {}},
		beliefs: map[LeaseID]*belief{}, told: map[LeaseID]string{}, begun: map[LeaseID]int64{}, highest: map[string]Fence{},
		copies: map[string]Recovered{}, opened: map[*Asking]int64{}, caps: map[string]Amounts{},
	}
	h.rig.told = h.effect
	for i := range 2 + h.one(3) {
		name := "abcd"[i : i+1]
		var shares []GranterConfig
		for k := range []int{1, 1, 1, 0, 2}[h.one(5)] {
			cfg := GranterConfig{Name: fmt.Sprint(name, k), MaxTTL: 10 * time.Second, PerHolder: 6, MaxQueue: 4,
				Capacity: Amounts{{"cam", Quantity(h.one(3) + 1)}, {"gpu", Quantity(h.one(2) + 1)}}}
			h.caps[cfg.Name] = cfg.Capacity
			shares = append(shares, cfg)
		}
		h.start(h.add(name, shares...))
	}
	h.exchange()
	if h.one(4) > 0 {
		h.pass(time.Second)
	}
	return h
}

// one is a number below n.
func (h *history) one(n int) int { return h.rand.IntN(n) }

func (h *history) fatal(format string, args ...any) {
	h.t.Helper()
	h.t.Fatalf("seed %d, at %v: "+format, append([]any{h.seed, h.now}, args...)...)
}

// exchange delivers what nodes say of themselves when they start.
func (h *history) exchange() {
	for {
		i := slices.IndexFunc(h.flight, func(f flying) bool { return f.m.Kind == MsgReport || f.m.Kind == MsgSeen })
		if i < 0 {
			return
		}
		h.deliver(i, false)
	}
}

func (h *history) play() {
	for range 200 + h.one(600) {
		h.events++
		h.step()
		h.check()
	}
	h.linear()
}

func (h *history) step() {
	n := h.nodes[h.one(len(h.nodes))]
	if n.id == 0 && h.one(5) == 0 {
		h.life(n)
	}
	switch k := h.one(100); {
	case k < 10:
		h.request(n)
	case k < 50:
		for range 1 + h.one(14) {
			if len(h.flight) > 0 {
				h.deliver(h.one(len(h.flight)), h.one(30) == 0)
				h.check()
			}
		}
	case k < 66:
		h.disk(n)
	case k < 74:
		h.holder(k < 72)
	case k < 90:
		h.pass(passes[h.one(len(passes))])
	case k < 93:
		if len(h.flight) > 0 {
			i := h.one(len(h.flight))
			h.log("lost: %v", h.flight[i].m.word())
			h.flight = slices.Delete(h.flight, i, i+1)
		}
	case k < 94:
		h.client()
	case k < 97:
		if n.id != 0 && h.one(3) == 0 {
			h.life(n)
		}
	default:
		h.trouble(n)
	}
}

// passes is how time goes by: mostly too little for anything to be over.
var passes = []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 300 * time.Millisecond, 300 * time.Millisecond, time.Second, 3 * time.Second}

func (h *history) request(n *rigNode) {
	if n.id == 0 || len(h.flight) > 30 {
		return
	}
	r := Request{
		Holder: "hkl"[h.one(3):][:1], Nodes: h.one(2) + 1, Criteria: Criteria(h.one(int(criteria))),
		TTL: time.Duration(h.one(5)+1) * time.Second, Wait: []time.Duration{0, 0, 3 * time.Second, 20 * time.Second}[h.one(4)],
	}
	if h.copied {
		r.TTL = 8 * time.Second
	}
	switch h.one(4) {
	case 0:
		h.ids++
		r.ID = fmt.Sprint(h.ids)
	case 1:
		r.ID = fmt.Sprint(max(h.ids-h.one(3), 0)) // again
	}
	switch h.one(6) {
	case 0, 1, 2:
		r.Needs = Amounts{{"cam", 1}}
	case 3:
		r.Needs = Amounts{{"cam", 2}}
	default:
		r.Needs = Amounts{{"cam", 1}, {"gpu", 1}}
	}
	asking, fresh, out, err := n.asker.Open(h.now, r, h.one(20) == 0, nil)
	if err != nil {
		return
	}
	if fresh {
		h.opened[asking] = h.events
		h.asks = append(h.asks, &rigAsk{Asking: asking, at: n, life: n.id})
	}
	h.do(n, nil, out)
}

// disk has some of what a manager writes reach the disk, or fail.
func (h *history) disk(n *rigNode) {
	for _, m := range n.managed {
		if len(m.pending) > 0 {
			h.written(n, m, h.one(len(m.pending))+1, h.one(12) == 0)
		}
	}
}

// holder renews or releases something.
func (h *history) holder(renew bool) {
	if len(h.order) == 0 {
		return
	}
	b := h.order[h.one(len(h.order))]
	n := b.at
	if h.one(4) == 0 {
		n = h.nodes[h.one(len(h.nodes))]
	}
	if n.id == 0 || b.released {
		return
	}
	c := &Call{Lease: b.ID}
	var out []Effect
	if renew {
		out, _ = n.asker.Renew(h.now, c, b.Holder, []time.Duration{0, time.Second, 8 * time.Second}[h.one(3)], nil)
	} else {
		b.released = true
		if b.ended == 0 {
			b.ended = h.events
		}
		out, _ = n.asker.Release(h.now, c, b.Holder, nil)
	}
	h.do(n, nil, out)
}

// client goes away while its request runs.
func (h *history) client() {
	for _, a := range h.asks {
		if !a.over && a.life == a.at.id {
			a.over = true
			h.do(a.at, nil, a.at.asker.Cancel(h.now, a.Asking, nil))
			return
		}
	}
}

// life ends or begins a life of a node.
func (h *history) life(n *rigNode) {
	if n.id != 0 {
		if h.copied {
			for _, b := range h.order {
				if b.at == n && b.ended == 0 {
					b.ended = h.events
				}
			}
		}
		h.kill(n)
		return
	}
	for name, disk := range n.disks {
		if !h.copied {
			continue
		}
		if copied, ok := h.copies[name]; ok && h.one(4) > 0 {
			*disk = copied.Clone()
		}
	}
	h.start(n)
	if h.copied {
		h.exchange()
	}
}

func (h *history) trouble(n *rigNode) {
	other := h.nodes[h.one(len(h.nodes))]
	trouble := h.one(8)
	if h.copied && trouble < 3 {
		h.relapse()
		return
	}
	switch trouble {
	case 0:
		h.cut[[2]string{n.name, other.name}] = true
	case 1, 6:
		clear(h.cut)
	case 7:
		if n.id != 0 && other.id != 0 {
			h.report(n, other)
		}
	case 2:
		if n != other && other.id != 0 {
			h.peerGone(n, other.id) // it is not
			h.report(other, n)
		}
	case 3:
		for name, disk := range n.disks {
			h.copies[name] = disk.Clone()
		}
	default:
		for _, m := range n.managed {
			if h.one(4) == 0 {
				h.do(n, m, m.Leave(h.now, nil))
			} else {
				h.do(n, m, m.Join(h.now, nil))
			}
		}
	}
}

// relapse has a node die whose leases others have, and come back with a copy of
// its disks, or none.
func (h *history) relapse() {
	for _, b := range h.order {
		i := slices.IndexFunc(h.nodes, func(n *rigNode) bool { return n.id != 0 && n.id == b.Node && n != b.at })
		if b.ended != 0 || i < 0 {
			continue
		}
		n := h.nodes[i]
		h.life(n)
		for name, disk := range n.disks {
			*disk = h.copies[name].Clone()
		}
		h.start(n)
		h.exchange()
		if h.one(2) == 0 { // and once more, when it knows what it does not know
			for _, m := range n.managed {
				if len(m.pending) > 0 {
					h.written(n, m, len(m.pending), false)
				}
			}
			h.kill(n)
			h.start(n)
			h.exchange()
		}
		return
	}
}

// pass lets time go by: what is over for its holder is over before anybody
// does anything.
func (h *history) pass(d time.Duration) {
	h.now += d
	for _, b := range h.order {
		if b.ended == 0 && h.until(b.Lease) <= h.now {
			b.ended = h.events
		}
	}
	h.events++
	h.tick()
}

func (h *history) until(l Lease) time.Duration { return l.Until.Sub(time.Unix(0, 0)) }

// effect sees everything that a node does.
func (h *history) effect(n *rigNode, e Effect) {
	switch {
	case e.Do == DoWrite:
		h.writes(e.Message.Manager, e.Record)
	case e.Do == DoSend && e.Message.Kind == MsgGrant:
		h.granted(e.Message)
	case e.Do == DoDone && e.Asking != nil && e.Asking.Err == nil && !e.Asking.Trial:
		nodes := map[uint64]bool{}
		if e.Asking.Nodes > 1 {
			h.wide++
		}
		for _, l := range e.Asking.Grant.Leases {
			h.believe(n, l, h.opened[e.Asking])
			nodes[uint64(l.Node)] = true
		}
		if len(nodes) != e.Asking.Nodes {
			h.fatal("%d nodes granted of %d", len(nodes), e.Asking.Nodes)
		}
	case e.Do == DoDone && e.Call != nil && e.Call.Err == nil && !e.Call.Now.ID.IsZero():
		if b := h.beliefs[e.Call.Lease]; b != nil && !b.released && (!h.copied || b.node == uint64(b.at.id)) {
			h.renewed++
			b.Until = e.Call.Now.Until
			b.ended = 0
			if h.until(b.Lease) <= h.now {
				b.ended = h.events
			}
		}
	}
}

// granted holds that a fence is one lease's for ever. After a copy was put back,
// that holds of what somebody alive remembers: believe looks at that.
func (h *history) granted(m Message) {
	id := LeaseID{m.Manager, m.Fence}
	what := fmt.Sprint(m.Holder, m.ID, m.Needs)
	if had, ok := h.told[id]; ok && had != what && !h.copied {
		h.fatal("lease %v is %s, and was %s", id, what, had)
	}
	h.told[id] = what
	h.highest[m.Manager] = max(h.highest[m.Manager], m.Fence)
}

// writes holds that a new lease has a higher fence than all that anybody was
// told of.
func (h *history) writes(manager string, r Record) {
	id := LeaseID{manager, r.Fence}
	if r.Kind != RecordLease || h.told[id] != "" {
		return
	}
	h.begun[id] = h.events
	if r.Fence <= h.highest[manager] && !h.copied {
		h.fatal("lease %v comes after %d", id, h.highest[manager])
	}
}

func (h *history) believe(n *rigNode, l Lease, opened int64) {
	b := h.beliefs[l.ID]
	if b != nil && (b.Request != l.Request || b.Holder != l.Holder) {
		if b.ended == 0 {
			h.fatal("lease %v is %s's and was %s's", l.ID, l.Holder, b.Holder)
		}
		b = nil // who had it died with all that remembered it
	}
	if b == nil {
		b = &belief{Lease: l, at: n, node: uint64(n.id), call: min(opened, h.begun[l.ID]), told: h.events}
		h.beliefs[l.ID] = b
		h.order = append(h.order, b)
	} else if b.released {
		return // by another client of the same name
	} else if l.Until.After(b.Until) {
		b.Until, b.ended = l.Until, 0
		b.at, b.node = n, uint64(n.id)
	}
	if b.ended == 0 && h.until(b.Lease) <= h.now {
		b.ended = h.events
	}
}

// check is what always holds: no manager has given more than it has, by its own
// account and by what holders believe.
func (h *history) check() {
	held := map[string]map[Kind]Quantity{}
	for _, b := range h.order {
		if b.ended != 0 {
			continue
		}
		if held[b.ID.Manager] == nil {
			held[b.ID.Manager] = map[Kind]Quantity{}
		}
		for _, x := range b.Amounts {
			held[b.ID.Manager][x.Kind] += x.Quantity
		}
	}
	for name, sums := range held {
		for k, q := range sums {
			if q > h.caps[name].Of(k) {
				h.fatal("holders have %d %s of %s, which has %d", q, k, name, h.caps[name].Of(k))
			}
		}
	}
	for _, n := range h.nodes {
		for _, m := range n.managed {
			h.account(m)
		}
	}
}

// account counts a manager's leases, holds and writes anew.
func (h *history) account(m *rigManager) {
	sums, counts, live := map[Kind]Quantity{}, map[string]int{}, 0
	add := func(a Amounts) {
		for _, x := range a {
			sums[x.Kind] += x.Quantity
		}
	}
	if m.behind != "" && !h.copied {
		h.fatal("%s: %s, and is none", m.name, m.behind)
	}
	requests := map[key]bool{}
	for _, l := range m.leases {
		if l.how == "" {
			if requests[l.key()] && l.Request != "" {
				h.fatal("%s: request %s of %s has two leases", m.name, l.Request, l.Holder)
			}
			requests[l.key()] = true
			add(l.Amounts)
			counts[l.Holder]++
			live++
		}
	}
	for _, a := range m.asks {
		switch a.state {
		case offered, writing:
			add(a.needs)
			fallthrough
		case waiting:
			counts[a.key.holder]++
		}
		if a.state == writing {
			live++
		}
		if a.state == waiting != slices.Contains(m.queue, a) {
			h.fatal("%s: %v waits, or is in the queue, and not both", m.name, a.id)
		}
	}
	for _, c := range m.cfg.Capacity {
		if sums[c.Kind] > c.Quantity || sums[c.Kind] != m.used[c.Kind] {
			h.fatal("%s: %d %s given by count, %d by account, of %d", m.name, sums[c.Kind], c.Kind, m.used[c.Kind], c.Quantity)
		}
	}
	if live != m.live || len(counts) != len(m.counts) {
		h.fatal("%s: %d leases and %d holders by count, %d and %d by account", m.name, live, len(counts), m.live, len(m.counts))
	}
}
