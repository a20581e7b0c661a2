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
