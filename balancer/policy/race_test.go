package policy

import (
	"testing"
	"time"
)

// TestCancelFirst: what comes after its own cancel is not begun.
func TestCancelFirst(t *testing.T) {
	for _, m := range []Message{{Kind: Push}, {Kind: Push, Tied: true}, {Kind: Offer, Tied: true}, {Kind: Offer}} {
		m.ID, m.Left, m.MaxWait = 7, time.Second, time.Second
		c := NewCore(Config{Places: 1})
		c.Receive(0, 'b', Message{Kind: Cancel, ID: 7}, nil)
		if out := c.Receive(0, 'b', m, nil); len(out) != 0 || len(c.guests) != 0 {
			t.Errorf("%v (tied: %v) after its cancel: %v", m.Kind, m.Tied, out)
		}
		m.Epoch = 1
		if out := c.Receive(0, 'b', m, nil); len(out) == 0 {
			t.Errorf("%v (tied: %v) of the next epoch is taken for it", m.Kind, m.Tied)
		}
	}
}

// TestBudgetOfRaces: however many requests come, copies are a share of them.
func TestBudgetOfRaces(t *testing.T) {
	for name, cfg := range map[string]Config{
		"race":  {Mode: Race, Copies: Copies{Most: 3}},
		"tied":  {Mode: Race, Copies: Copies{Most: 3, Cancel: OnStart}},
		"paper": {Mode: Paper, Copies: Copies{Most: 3, After: time.Nanosecond}, ShedAge: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Places, cfg.Budget = 1, Budget{Share: .2, Rate: 10, Burst: 50}
			c := NewCore(cfg)
			for _, p := range []Peer{'b', 'c', 'd'} {
				c.Hear(0, p, Report{})
			}
			c.Arrive(0, &Request{}, nil) // has the place
			const n = 10_000
			now := time.Duration(0)
			for range n {
				now += time.Millisecond
				r := &Request{Movable: true, Repeatable: true}
				out := c.Arrive(now, r, nil)
				out = c.Tick(now+1, out)
				for i := 0; i < len(out); i++ {
					if e := out[i]; e.Do == DoSubmit {
						out = c.Sent(now, e.Request, e.Message, []Peer{'b', 'c', 'd'}[:min(e.Most, 3)], out)
					}
				}
				for _, p := range []Peer{'b', 'c', 'd'} {
					c.Answered(now, r, p, nil)
				}
				c.Leave(now, r, nil)
			}
			most := uint64(.2*n + 10*now.Seconds() + 50)
			if got := c.Counts().Copied; got > most || got < most*9/10-50 {
				t.Errorf("%d copies of %d requests, want at most %d and nearly as many", got, n, most)
			}
		})
	}
}

// TestTiedOnce: an offer with its request that is over begins nothing when it
// comes again.
func TestTiedOnce(t *testing.T) {
	offer := Message{Kind: Offer, ID: 7, Tied: true, Left: time.Second}
	for name, end := range map[string]func(c *Core){
		"cancelled": func(c *Core) { c.Receive(0, 'b', Message{Kind: Cancel, ID: 7}, nil) },
		"expired":   func(c *Core) { c.Tick(time.Second, nil) },
	} {
		c, own := NewCore(Config{Places: 1}), &Request{}
		c.Arrive(0, own, nil)
		c.Receive(0, 'b', offer, nil)
		end(c)
		c.Receive(time.Second, 'b', offer, nil)
		if out := c.Finish(time.Second, own, 1, Served, nil); len(out) != 0 || len(c.guests) != 0 {
			t.Errorf("%s: %v", name, out)
		}
	}
}

// TestRefund: what was paid for copies that are refused, or not sent, is there
// for others.
func TestRefund(t *testing.T) {
	c := NewCore(Config{Places: 1, Mode: Race, Copies: Copies{Most: 3}})
	for _, p := range []Peer{'b', 'c'} {
		c.Hear(0, p, Report{})
	}
	before := 0.
	for _, picked := range [][]Peer{{}, {'b'}, {'b', 'c'}} {
		r := &Request{Movable: true, Repeatable: true}
		out := c.Arrive(0, r, nil)
		if before == 0 {
			before = c.budget.tokens + 2
		}
		e := out[len(out)-1]
		c.Sent(0, r, e.Message, picked, nil)
		for _, p := range picked {
			c.Receive(0, p, Message{Kind: Refuse, ID: e.Message.ID, Epoch: e.Message.Epoch}, nil)
		}
		if c.budget.tokens != before {
			t.Errorf("%d copies that were refused cost %v", len(picked), before-c.budget.tokens)
		}
		c.Finish(0, r, 1, Served, nil)
		before += .2 // of the next request
	}
}
