package policy

import (
	"testing"
	"time"
)

// TestFullOfOffers has an owner offer without end while nothing is free: there
// is room for what others offer.
func TestFullOfOffers(t *testing.T) {
	c := NewCore(Config{Places: 1, Service: 20 * time.Millisecond})
	report := Report{Places: 1, Service: 20 * time.Millisecond}
	c.Arrive(0, &Request{}, nil)
	for id := range uint64(2 * maxGuests) {
		c.Receive(0, 'd', Message{Kind: Offer, ID: id, Left: time.Minute, Report: report}, nil)
	}
	c.Receive(0, 'h', Message{Kind: Offer, ID: 1, Left: time.Minute, Report: report}, nil)
	if _, ok := c.guests[guestName{'h', 1, 0}]; !ok {
		t.Errorf("an offer finds no room beside %d of one peer", len(c.guests))
	}
	for id := range uint64(2 * maxGuests) {
		c.Receive(0, 'd', Message{Kind: Cancel, ID: id}, nil)
	}
	c.Receive(0, 'd', Message{Kind: Offer, ID: 1 << 40, Left: time.Minute, Report: report}, nil)
	if _, ok := c.guests[guestName{'d', 1 << 40, 0}]; !ok {
		t.Error("who has taken its offers back cannot offer any more")
	}
}

// TestLateGrants has an owner answer claims long after the places that were kept
// are given to others: it owes nothing then, and its offers are heeded.
func TestLateGrants(t *testing.T) {
	c := NewCore(Config{Places: 1, Service: 20 * time.Millisecond})
	c.SetRoundTrip(time.Millisecond)
	report := Report{Places: 1, Service: 20 * time.Millisecond}
	now := time.Duration(0)
	claims := func(out []Effect) (ids []uint64) {
		for _, e := range out {
			if e.Do == DoSend && e.Message.Kind == Claim {
				ids = append(ids, e.Message.ID)
			}
		}
		return ids
	}
	offer := func(id uint64) []uint64 {
		out := c.Receive(now, 'h', Message{Kind: Offer, ID: id, Left: time.Minute, Report: report}, nil)
		now += 5 * time.Millisecond
		return claims(c.Tick(now, out))
	}
	for id := range uint64(leastOwed) { // none is answered in four round trips
		if len(offer(id)) != 1 {
			t.Fatalf("offer %d is not claimed", id)
		}
	}
	if got := offer(100); len(got) != 0 {
		t.Errorf("%d claims are unanswered, and %v is claimed", leastOwed, got)
	}
	if n := c.Counts().Unanswered; n != leastOwed {
		t.Errorf("%d are counted", n)
	}
	for id := range uint64(leastOwed) {
		c.Receive(now, 'h', Message{Kind: Deny, ID: id, Report: report}, nil)
	}
	if len(offer(101)) != 1 {
		t.Error("all claims are answered, and an offer is not claimed")
	}
}

// TestGoneAmongOthers: a peer's guests are not begun because it is gone, and are
// dropped once.
func TestGoneAmongOthers(t *testing.T) {
	c := NewCore(Config{Places: 1, Service: 20 * time.Millisecond})
	report := Report{Places: 1, Service: 20 * time.Millisecond}
	c.Hear(0, 'p', report)
	busy := &Request{}
	c.Arrive(0, busy, nil)
	own := &Request{Movable: true, Repeatable: true}
	for _, e := range c.Arrive(0, own, nil) {
		if e.Do == DoSubmit {
			c.Sent(0, e.Request, e.Message, []Peer{'p'}, nil)
		}
	}
	c.Receive(0, 'p', Message{Kind: Claim, ID: own.ID(), Epoch: own.Epoch()}, nil)
	c.Receive(0, 'p', Message{Kind: Push, ID: 7, Left: time.Second, MaxWait: time.Second, Report: report, Data: 1}, nil)
	c.cfg.Places = 3 // as a limit that is learned may, before anything is begun
	for _, e := range c.PeerGone(time.Millisecond, 'p', nil) {
		if e.Do == DoStart && e.Request.Owner() != 0 {
			t.Error("a guest of a peer that is gone is begun")
		}
	}
}

// TestEmptyOffers has an owner offer what it never grants, as old as can be,
// as fast as it can: this node's own clients are served all the same.
func TestEmptyOffers(t *testing.T) {
	for _, trip := range []time.Duration{time.Millisecond / 10, time.Millisecond, 10 * time.Millisecond} {
		c := NewCore(Config{Places: 2, Service: 20 * time.Millisecond, Timeout: time.Second})
		c.SetRoundTrip(trip)
		c.Hear(0, 'h', Report{Places: 2, Service: 20 * time.Millisecond})
		c.Hear(0, 'd', Report{Places: 2, Service: 20 * time.Millisecond})
		type service struct {
			r   *Request
			end time.Duration
		}
		var running []service
		var out []Effect
		var id uint64
		served, lost, claims := 0, 0, 0
		do := func(now time.Duration) {
			for i := 0; i < len(out); i++ {
				switch e := out[i]; e.Do {
				case DoStart:
					running = append(running, service{e.Request, now + 20*time.Millisecond})
				case DoSubmit:
					out = c.Sent(now, e.Request, e.Message, nil, out)
				case DoSend:
					if e.Message.Kind == Claim {
						claims++
					}
				case DoForget:
				default:
					lost++
				}
			}
			out = out[:0]
		}
		for now := time.Duration(0); now < 10*time.Second; now += time.Millisecond {
			for range 20 {
				id++
				out = c.Receive(now, 'd', Message{Kind: Offer, ID: id, Age: time.Hour, Left: time.Minute, Report: Report{Places: 2, Service: 20 * time.Millisecond}}, out)
				do(now)
			}
			for len(running) > 0 && running[0].end <= now {
				r := running[0].r
				running = running[1:]
				served++
				out = c.Finish(now, r, 20*time.Millisecond, Served, out)
				do(now)
			}
			if now%(20*time.Millisecond) == 0 && now < 9*time.Second {
				out = c.Arrive(now, &Request{}, out)
				do(now)
			}
			out = c.Tick(now, out)
			do(now)
		}
		t.Logf("round trip %v: %d served, %d lost, %d claims", trip, served, lost, claims)
		if served < 440 {
			t.Errorf("round trip %v: %d of 450 served, %d lost, %d claims", trip, served, lost, claims)
		}
	}
}
