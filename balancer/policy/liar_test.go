package policy

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// company is a rig in which a has twice what it can do, b and c are idle and
// honest, and d says what a test wants. A message takes a millisecond, a service
// 20.
type company struct {
	*rig
	got int // requests that d was sent
}

func newCompany(mode Mode) *company {
	g := &company{rig: newRig([]Peer{'a', 'b', 'c', 'd'}, Config{Places: 1, Mode: mode, Service: 20 * time.Millisecond, Timeout: time.Second})}
	for _, core := range g.cores {
		core.SetRoundTrip(2 * time.Millisecond)
	}
	turn := 0
	g.chosen = func(n int) int { turn++; return turn % n }
	return g
}

// say has d say something about the request of a message that it got.
func (g *company) say(kind Kind, m Message, r Report) {
	g.flight = append(g.flight, flying{from: 'd', to: 'a', m: Message{Kind: kind, ID: m.ID, Epoch: m.Epoch, Report: r}})
}

// answer has d answer a request.
func (g *company) answer(f flying, failed bool) {
	g.flight = append(g.flight, flying{from: 'd', to: 'a', m: Message{ID: f.m.ID, Epoch: f.m.Epoch, Data: f.m.Data}, failed: failed})
}

// play is so many seconds.
func (g *company) play(seconds int) {
	for ms := range seconds * 1000 {
		g.now = time.Duration(ms) * time.Millisecond
		if ms%10 == 0 && ms < (seconds-2)*1000 {
			c := &call{name: fmt.Sprint(ms)}
			c.Movable, c.Repeatable = true, ms%50 != 0
			g.arrive('a', c)
		}
		for range len(g.flight) {
			if f := g.flight[0]; f.to == 'd' && f.m.Kind != 0 && f.m.Kind != Offer && f.m.Kind != Cancel && f.m.Kind != Deny {
				g.got++
			}
			g.deliver(0, false)
		}
		for i := len(g.served) - 1; i >= 0; i-- {
			if g.now-g.served[i].began >= 20*time.Millisecond {
				g.finish(i, Served)
			}
		}
		g.tick()
	}
}

// idle is what a peer says that wants everything.
var idle = Report{Places: 1 << 19, Service: 1}

// TestLiars: what a peer that lies costs. It draws a bounded number of requests;
// whatever may be begun twice has an answer that another server gives, unless
// the liar says that it has begun; nothing runs twice that may not.
func TestLiars(t *testing.T) {
	type lie struct {
		does  func(g *company, f flying)
		draws int // requests in 20 s, of 1,800
		lost  int // of the 360 that may not be begun twice, without an answer
		late  int // of the others
	}
	requests := func(k Kind) bool { return k == Grant || k == Push }
	for name, l := range map[string]lie{
		"claims and never answers": {func(g *company, f flying) {
			if f.m.Kind == Offer {
				g.say(Claim, f.m, idle)
			}
		}, 8, 3, 0},
		"starts and never answers": {func(g *company, f flying) {
			if f.m.Kind == Offer {
				g.say(Claim, f.m, idle)
			} else if requests(f.m.Kind) {
				g.say(Started, f.m, idle)
			}
		}, 8, 3, 8},
		"refuses everything": {func(g *company, f flying) {
			if f.m.Kind == Offer {
				g.say(Claim, f.m, idle)
			} else if requests(f.m.Kind) {
				g.say(Refuse, f.m, idle)
			}
		}, 8, 0, 0},
		"fails everything": {func(g *company, f flying) {
			if f.m.Kind == Offer {
				g.say(Claim, f.m, idle)
			} else if requests(f.m.Kind) {
				g.answer(f, true)
			}
		}, 8, 3, 0},
		"reports nonsense": {func(g *company, f flying) {
			for _, load := range []float64{math.NaN(), math.Inf(1), -1, 1e308} {
				g.say(Claim, f.m, Report{Load: load, Places: -1, Service: -1})
				g.say(Refuse, f.m, Report{Load: load, Places: math.MaxInt, Service: math.MaxInt64})
			}
		}, 40, 0, 0},
		"says what was never asked": {func(g *company, f flying) {
			if f.m.Kind != Offer && !requests(f.m.Kind) {
				return
			}
			for i, kind := range []Kind{Started, Queued, Deny, Cancel, Refuse, Claim, Claim, Started, Refuse} {
				m := f.m
				m.ID += uint64(i % 2)
				m.Epoch += uint32(i % 3)
				g.say(kind, m, idle)
			}
		}, 8, 3, 8},
	} {
		for _, mode := range []Mode{Pull, Pushes} {
			t.Run(name+"/"+mode.String(), func(t *testing.T) {
				g := newCompany(mode)
				g.liars = map[Peer]func(flying){'d': func(f flying) { l.does(g, f) }}
				g.play(20)
				g.judge(t, l.draws, l.lost, l.late)
			})
		}
	}
}

// judge holds the history to what a lie may cost.
func (g *company) judge(t *testing.T, draws, lost, late int) {
	t.Helper()
	without, expired := 0, 0
	for _, c := range g.calls {
		switch {
		case c.ends != 1:
			t.Errorf("%s ended %d times", c.name, c.ends)
		case c.begun > 1 && !c.Repeatable || c.begun > 2:
			t.Errorf("%s was begun %d times", c.name, c.begun)
		case c.result != "answered" && c.Repeatable:
			expired++
		case c.result != "answered":
			without++
		}
	}
	if g.got > draws || without > lost || expired > late {
		t.Errorf("it was sent %d of %d requests, want at most %d; %d that may be begun once have no answer, want at most %d; %d others, want at most %d",
			g.got, len(g.calls), draws, without, lost, expired, late)
	}
	if g.got == 0 {
		t.Error("it was never asked: that shows nothing")
	}
}
