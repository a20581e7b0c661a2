package policy

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestHistories drives cores through random histories: arrivals, clients that
// leave, messages delayed, reordered, lost and doubled, web servers that fail,
// nodes that die. What it holds is written in check and settled.
func TestHistories(t *testing.T) {
	for _, mode := range []Mode{Pull, Pushes, Auto, Paper, Race, Hedge, Speculative} {
		t.Run(mode.String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { newHistory(t, mode).play() })
		})
	}
}

// history is a rig that is driven by chance.
type history struct {
	*rig
	t      *rapid.T
	places int
	hard   int
	mode   Mode
	faults bool // messages are lost or doubled, nodes die
}

func newHistory(t *rapid.T, mode Mode) *history {
	var names []Peer
	for _, letter := range "abcde"[:rapid.IntRange(2, 5).Draw(t, "nodes")] {
		names = append(names, Peer(letter))
	}
	h := &history{t: t, mode: mode, places: rapid.IntRange(1, 3).Draw(t, "places"), faults: rapid.Bool().Draw(t, "faults")}
	h.hard = h.places + rapid.IntRange(0, 2).Draw(t, "hard")
	h.rig = newRig(names, Config{
		Places: h.places, Hard: h.hard, Mode: mode, Queue: rapid.IntRange(1, 6).Draw(t, "queue"), QueueBytes: int64(rapid.IntRange(4, 20).Draw(t, "queue bytes")),
		Service: rapid.SampledFrom([]time.Duration{time.Millisecond, 10 * time.Millisecond, 40 * time.Millisecond}).Draw(t, "service"),
		Timeout: 400 * time.Millisecond, ShedAge: 200 * time.Millisecond,
		Copies: h.copies(mode), Budget: Budget{Share: rapid.SampledFrom([]float64{.2, 5}).Draw(t, "share"), Rate: 10, Burst: 20},
	})
	h.chosen = func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "pick") }
	return h
}

// copies is what a mode may be told of them.
func (h *history) copies(mode Mode) Copies {
	cfg := Copies{Share: 1, Most: h.one(4, "copies"), To: Choice(h.one(4, "to")), Cancel: Ending(h.one(3, "cancel"))}
	switch mode {
	case Paper:
		cfg.After = 10 * time.Millisecond
	case Hedge:
		cfg.After = 5 * time.Millisecond
		cfg.Cancel = []Ending{OnAnswer, Never}[h.one(2, "cancel")]
	}
	return cfg
}

func (h *history) play() {
	for range rapid.IntRange(1, 150).Draw(h.t, "steps") {
		h.step()
		h.check()
	}
	h.settle()
}

// one is a number below n.
func (h *history) one(n int, of string) int { return rapid.IntRange(0, n-1).Draw(h.t, of) }

func (h *history) alive() (ps []Peer) {
	for _, p := range h.names {
		if h.cores[p] != nil {
			ps = append(ps, p)
		}
	}
	return ps
}

func (h *history) step() {
	alive := h.alive()
	switch n := h.one(100, "step"); {
	case n < 25:
		c := &call{name: fmt.Sprint(len(h.calls))}
		kind := h.one(8, "kind")
		c.Movable, c.Repeatable, c.Large, c.Light = kind != 0, kind&1 == 1, kind == 2, kind > 2
		c.Class, c.Bytes = Class(h.one(3, "class")-1), int64(h.one(4, "bytes"))
		h.arrive(alive[h.one(len(alive), "where")], c)
	case n < 60 && len(h.flight) > 0:
		h.deliver(h.one(len(h.flight), "message"), false)
	case n < 75 && len(h.served) > 0:
		h.finish(h.one(len(h.served), "service"), []Result{Served, Served, Served, Served, Unreached, Broken}[h.one(6, "result")])
	case n < 80 && len(h.calls) > 0:
		if c := h.calls[h.one(len(h.calls), "client")]; c.wanted {
			h.leave(c)
		}
	case n < 81:
		p := alive[h.one(len(alive), "where")]
		h.do(p, h.cores[p].SetOverflow(h.now, h.one(2, "raised") == 1, nil))
	case n < 84:
		h.setUp(alive[h.one(len(alive), "where")], h.one(2, "up") == 1)
	case n >= 97 && h.faults && len(alive) > 1 && n == 99:
		h.kill(alive[h.one(len(alive), "dies")])
	case n >= 93 && h.faults && len(h.flight) > 0:
		i := h.one(len(h.flight), "fault")
		if n%2 == 0 {
			h.flight = append(h.flight[:i], h.flight[i+1:]...)
		} else {
			h.deliver(i, true)
		}
	default:
		h.now += []time.Duration{100 * time.Microsecond, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond}[h.one(4, "time")]
		h.tick()
	}
}

// setUp takes a web server away or gives it back.
func (h *history) setUp(p Peer, up bool) { h.do(p, h.cores[p].SetUp(h.now, up, nil)) }

// check is what always holds.
func (h *history) check() {
	running := map[Peer]int{}
	at := map[*call]int{}
	for _, s := range h.served {
		running[s.at]++
		if s.call.wanted {
			at[s.call]++
		}
	}
	for _, c := range h.calls {
		once, most := 1, 1 // try; begun in all
		if c.Repeatable {
			once = h.most()
			if h.mode == Speculative { // two rounds of offers, and here
				once = 1 + 2*copiesAt[0]
			}
			most = (1 + maxRepeats) * once
		}
		if c.begun > most {
			h.t.Fatalf("%s (repeatable: %v) was begun %d times", c.name, c.Repeatable, c.begun)
		}
		if at[c] > once && c.repeats == 0 || at[c] > most {
			h.t.Fatalf("%s runs at %d servers", c.name, at[c])
		}
		if c.ends > 1 {
			h.t.Fatalf("%s ended %d times, last with %s", c.name, c.ends, c.result)
		}
	}
	for p, core := range h.cores {
		h.checkCopies(core)
		if core.running != running[p] || core.running+core.held > h.hard || core.held < 0 || core.loose < 0 {
			h.t.Fatalf("%c: %d run, %d by its count, %d held, of %d", p, running[p], core.running, core.held, h.hard)
		}
		if core.down || core.running+core.held >= h.hard {
			continue
		}
		if r := core.bound.first(); r != nil {
			h.t.Fatalf("%c: %s, which nobody else serves, waits beside a free place", p, r.Data.(*call).name)
		}
		if core.vacant() <= 0 {
			continue
		}
		if n, bytes := core.queue.upTo(LastClass); n == 0 && bytes != 0 {
			h.t.Fatalf("%c: an empty queue holds %d bytes", p, bytes)
		}
		if r := core.queue.first(); r != nil && r.notBefore <= h.now {
			h.t.Fatalf("%c: %s waits beside a free place", p, r.Data.(*call).name)
		}
		if core.shadows.len() > 0 && !core.sick && !core.raised && core.vacant() > core.loose && core.queue.len() == 0 {
			h.t.Fatalf("%c: an offer waits beside a free place", p)
		}
	}
}

// most is how many copies of a request there may be at once.
func (h *history) most() int {
	switch h.mode {
	case Paper, Race, Hedge:
		return h.cores[h.alive()[0]].cfg.Copies.Most
	}
	return 1
}

// checkCopies holds each request of an owner to its copies, and all of them to
// the budget.
func (h *history) checkCopies(core *Core) {
	for _, r := range core.own {
		n := len(r.copies)
		if r.phase == queued || r.phase == running {
			n++
		}
		if n > 1 && (!r.Repeatable || n > h.most()) || r.phase == moved && n == 0 {
			h.t.Fatalf("%s has %d copies (repeatable: %v)", r.Data.(*call).name, n, r.Repeatable)
		}
	}
	for _, b := range []Budget{core.budget, core.hedger.budget} {
		if b.tokens < 0 || b.tokens > b.Burst {
			h.t.Fatalf("a budget has %v", b.tokens)
		}
	}
}

// settle delivers everything, ends every service and lets every time pass;
// then nobody may be left waiting and nothing may be kept.
func (h *history) settle() {
	for _, p := range h.alive() {
		h.setUp(p, true)
		h.do(p, h.cores[p].SetOverflow(h.now, false, nil))
	}
	for round := 0; ; round++ {
		for len(h.flight) > 0 {
			h.deliver(0, false)
			h.check()
		}
		for len(h.served) > 0 {
			h.finish(0, Served)
			h.check()
		}
		if len(h.flight) > 0 {
			continue
		}
		next, any := time.Duration(0), false
		for _, core := range h.cores {
			if at, ok := core.Next(); ok && (!any || at < next) {
				next, any = at, true
			}
		}
		if !any {
			break
		}
		h.now = max(h.now, next)
		h.tick()
		h.check()
		if round > 10_000 {
			h.t.Fatal("it never comes to rest")
		}
	}
	h.settled()
}

// settled is what holds when nothing more can happen.
func (h *history) settled() {
	for _, c := range h.calls {
		if c.wanted {
			h.t.Errorf("%s has no answer", c.name)
		}
	}
	for p, c := range h.cores {
		left := len(c.own) + len(c.guests) + c.running + c.held + c.loose + c.queue.len() + c.bound.len() + c.shadows.len() + c.timers.len()
		for _, k := range c.peers.known {
			left += k.sent
		}
		if left != 0 {
			h.t.Errorf("%c keeps something: own %d, guests %d, running %d, held %d, loose %d, queue %d, placeholders %d, timers %d, peers %+v",
				p, len(c.own), len(c.guests), c.running, c.held, c.loose, c.queue.len(), c.shadows.len(), c.timers.len(), c.peers.known)
		}
	}
}
