package balancer

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
)

// TestCancelOnFullLink: a peer whose link has no room for a cancel gets it when
// there is room, and the client does not wait for that.
func TestCancelOnFullLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 1, tight)
		p := c.raw()
		jam, release := jam(t, m, p)
		ctx, leave := context.WithCancel(t.Context())
		res := start(func() *outcome { return m.do(request("GET", "/", "").WithContext(ctx)) })
		asked := p.ofType(typeRequest, 1)[0]
		fillUp(t, jam)
		leave()
		if got := <-res; !got.aborted {
			t.Errorf("%d, want an abort", got.Code)
		}
		synctest.Wait()
		close(release)
		time.Sleep(time.Second)
		if last := p.events.Events(); last[len(last)-1].Type != typeCancel || last[len(last)-1].Re != asked.ID {
			t.Errorf("the peer heard nothing of the client's going: %v last", last[len(last)-1].Type)
		}
		if s := m.Stats(); s.Cancels != 1 || s.Unsent != 0 {
			t.Errorf("%d cancels, %d events unsent", s.Cancels, s.Unsent)
		}
		end()
	})
}

// TestCancelBesideFullLink: of two losers one's link has no room for a cancel,
// and both get it.
func TestCancelBesideFullLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 1, func(i int, cfg *Config) { tight(i, cfg); cfg.Copies = 3 })
		full, free, winner := c.raw(), c.raw(), c.raw()
		jam, release := jam(t, m, full)
		res := start(func() *outcome { return m.get("/") })
		asked := full.ofType(typeRequest, 1)[0]
		fillUp(t, jam)
		winner.say(typeAnswer, asked.ID, packed(answerHead{Status: 204, Length: -1, Fin: true}, ""))
		synctest.Wait()
		close(release)
		if got := <-res; got.Code != 204 || got.took != 0 {
			t.Errorf("%d after %v", got.Code, got.took)
		}
		synctest.Wait()
		for _, p := range []*rawPeer{full, free} {
			if last := p.events.Events(); last[len(last)-1].Type != typeCancel || last[len(last)-1].Re != asked.ID {
				t.Errorf("a loser heard nothing of its loss: %v last", last[len(last)-1].Type)
			}
		}
		if n := len(winner.events.Events()); n != 1 {
			t.Errorf("the winner got %d events, want the request alone", n)
		}
		if s := m.Stats(); s.Cancels != 2 || s.Unsent != 0 {
			t.Errorf("%d cancels, %d events unsent", s.Cancels, s.Unsent)
		}
		end()
	})
}

// TestCopyThatNoLinkTook: nothing is expected of a peer whose link was full
// when the others' took the request.
func TestCopyThatNoLinkTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 1, func(i int, cfg *Config) { tight(i, cfg); cfg.Copies = 2 })
		full, free := c.raw(), c.raw()
		jam, release := jam(t, m, full)
		fillUp(t, jam)
		res := start(func() *outcome { return m.get("/") })
		asked := free.ofType(typeRequest, 1)[0]
		free.say(typeTaken, asked.ID, packAmount(0))
		free.say(typeBusy, asked.ID, nil)
		synctest.Wait()
		if s := m.Stats(); s.Calls != 0 || s.CopiesSent != 1 || s.CopiesBusy != 1 {
			t.Errorf("the one peer that was asked is busy: %d calls, %d copies sent, %d busy", s.Calls, s.CopiesSent, s.CopiesBusy)
		}
		close(release)
		asked = free.ofType(typeRequest, 2)[1]
		synctest.Wait()
		if m.calls.sentTo(full.id) != 1 {
			t.Errorf("%d calls count as sent to the peer whose link was full, want the second alone", m.calls.sentTo(full.id))
		}
		free.say(typeAnswer, asked.ID, packed(answerHead{Status: 204, Length: -1, Fin: true}, ""))
		if got := <-res; got.Code != 204 {
			t.Errorf("%d, want the answer of the second try", got.Code)
		}
		if s := m.Stats(); s.CopiesSilent != 0 || s.CopiesLost != 0 {
			t.Errorf("%d copies silent, %d lost", s.CopiesSilent, s.CopiesLost)
		}
		end()
	})
}

// TestCancelOfFailedUpload: a peer that was sent half of a body and gets no more
// hears it.
func TestCancelOfFailedUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 1, tight)
		p := c.raw()
		r := chunked("POST", "/", "data")
		r.Trailer = http.Header{"X": make([]string, maxEventFields+1)} // more than an event holds
		res := start(func() *outcome { return m.do(r) })
		asked := p.ofType(typeRequest, 1)[0]
		p.say(typeTaken, asked.ID, packAmount(100))
		if got := <-res; got.Code != 502 {
			t.Errorf("%d, want 502", got.Code)
		}
		if e := p.ofType(typeCancel, 1)[0]; e.Re != asked.ID { // it may overtake the body
			t.Errorf("cancelled %v, want %v", e.Re, asked.ID)
		}
		end()
	})
}

// fillUp submits on a jammed channel until the link takes no more.
func fillUp(t *testing.T, jam *channel.Channel) {
	t.Helper()
	var err error
	for err == nil {
		_, err = jam.Submit(t.Context(), channel.Event{Type: "jam"})
		synctest.Wait()
	}
	if !errors.Is(err, channel.ErrQueueFull) {
		t.Fatal(err)
	}
}

// jam opens a channel on which whatever m submits blocks the peer's link until
// release is closed.
func jam(t *testing.T, m *member, p *rawPeer) (*channel.Channel, chan struct{}) {
	t.Helper()
	from, err := m.node.Open("jam")
	if err != nil {
		t.Fatal(err)
	}
	to, err := p.node.Open("jam")
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	if _, err := to.SubscribeInline(channel.Match{}, func(*channel.Event) { <-release }); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return from, release
}
