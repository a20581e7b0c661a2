package policy

import (
	"math"
	"testing"
	"time"
)

// TestNonsense: what no honest peer says changes nothing and is not kept for
// ever.
func TestNonsense(t *testing.T) {
	c := NewCore(Config{Places: 1, Mode: Pull})
	good := Report{Load: .5, Places: 2, Service: time.Second}
	c.Hear(0, 'b', good)
	for _, r := range []Report{{Load: -1}, {Load: math.NaN()}, {Load: math.Inf(1)}, {Load: 1e7}, {Places: -1}, {Places: 1 << 40}, {Service: -1}, {Service: 1 << 60}} {
		c.Hear(0, 'b', r)
		if heard, _ := c.Heard('b'); heard != good {
			t.Errorf("%+v is believed", r)
		}
	}
	own := &Request{}
	c.Arrive(0, own, nil)
	c.Arrive(0, &Request{Data: "mine"}, nil)
	c.Receive(0, 'b', Message{Kind: Offer, ID: 1, Age: 1 << 62, Left: 1 << 62}, nil)
	if at, _ := c.Next(); at > maxLeft {
		t.Errorf("a guest is kept until %v", at)
	}
	c.Receive(0, 'b', Message{Kind: Offer, ID: 2, Age: -time.Hour, Left: -time.Hour}, nil)
	for _, kind := range []Kind{0, Claim, Deny, Cancel, Refuse, Started, Queued, Queued + 1} {
		if out := c.Receive(0, 'b', Message{Kind: kind, ID: 99, Age: -1, MaxWait: -1}, nil); len(out) != 0 {
			t.Errorf("%d about nothing: %v", kind, out)
		}
	}
	if len(c.guests) != 1 || len(c.own) != 2 {
		t.Error("guests:", len(c.guests), "own:", len(c.own))
	}
}

// TestManyOffers: what others may keep here is bounded.
func TestManyOffers(t *testing.T) {
	c := NewCore(Config{Places: 1, Mode: Pull})
	c.Arrive(0, &Request{}, nil)
	for id := range uint64(2 * maxGuests) {
		c.Receive(0, Peer('b'+id%8), Message{Kind: Offer, ID: id, Left: time.Second}, nil)
	}
	if len(c.guests) != maxGuests {
		t.Errorf("%d guests are kept", len(c.guests))
	}
	out := c.Receive(0, 'b', Message{Kind: Push, ID: 1 << 40, Left: time.Second, MaxWait: time.Hour}, nil)
	if len(out) != 1 || out[0].Message.Kind != Refuse {
		t.Error("a push to one that is full:", out)
	}
	if c.Tick(2*time.Second, nil); len(c.guests)+c.shadows.len()+c.timers.len() != 0 {
		t.Error("left when their time is over:", len(c.guests), c.shadows.len(), c.timers.len())
	}
}

// TestRefusers: peers that claim everything and then refuse it have a request
// go round a few times and not for as long as it waits.
func TestRefusers(t *testing.T) {
	c := NewCore(Config{Places: 1, Mode: Pull})
	peers := []Peer{'b', 'c'}
	for _, p := range peers {
		c.Hear(0, p, Report{})
	}
	c.Arrive(0, &Request{}, nil)
	grants := 0
	out := c.Arrive(0, &Request{Movable: true}, nil)
	for i := 0; i < len(out); i++ {
		switch e := out[i]; {
		case e.Do == DoSubmit:
			p := peers[0]
			if !c.MayAsk(0, e.Request, p) {
				p = peers[1]
			}
			out = c.Sent(0, e.Request, e.Message, []Peer{p}, out)
			out = c.Receive(0, p, Message{Kind: Claim, ID: e.Message.ID, Epoch: e.Message.Epoch}, out)
		case e.Do == DoSend && e.Message.Kind == Grant:
			grants++
			out = c.Receive(0, e.To, Message{Kind: Refuse, ID: e.Message.ID, Epoch: e.Message.Epoch}, out)
		}
	}
	if grants != maxRefused || c.queue.len() != 1 {
		t.Errorf("granted %d times, %d wait", grants, c.queue.len())
	}
}

// TestDistance: what an owner that is swamped offers counts as younger than
// what any other does, but not by more than another service and a half, whatever it says.
func TestDistance(t *testing.T) {
	const s = 40 * time.Millisecond
	c := NewCore(Config{Places: 1, Service: s})
	for name, k := range map[string]struct {
		load float64
		want time.Duration
	}{
		"idle": {0, 2 * s}, "busy": {3, 2 * s}, "six to wait for": {6, 2 * s}, "six and a half": {6.5, 5 * s / 2},
		"swamped": {20, 7 * s / 2}, "it says a million": {1e6, 7 * s / 2}, "nonsense": {math.NaN(), 7 * s / 2}, "below nothing": {-5, 7 * s / 2},
	} {
		if got := c.distance(Report{Load: k.load, Places: 1, Service: s}); got != k.want {
			t.Errorf("%s: %v, want %v", name, got, k.want)
		}
	}
}
