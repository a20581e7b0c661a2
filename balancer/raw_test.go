package balancer

import (
	"context"
	"sync/atomic"
	"testing/synctest"

	"kecho/channel"
	"kecho/channel/channeltest"
	"kecho/filters"
)

// rawPeer is a node that says of itself that it has room, claims all that it is
// offered, unless it is coy, and else answers nothing but what a test has it say.
type rawPeer struct {
	*member
	data    *channel.Channel
	events  channeltest.Recorder // what came on the data channel, but for offers and withdrawals
	control channeltest.Recorder // these
	coy     atomic.Bool
	does    func(p *rawPeer, e *channel.Event) // beside all that, with each event; nil: nothing
	to      atomic.Uint64                      // who gets what it says
}

// raw adds a node without a balancer to the cluster; it speaks to its first
// member.
func (c *cluster) raw() *rawPeer {
	c.t.Helper()
	p := &rawPeer{member: c.node()}
	var err error
	if p.data, err = p.node.Open("data"); err != nil {
		c.t.Fatal(err)
	}
	p.to.Store(uint64(c.members[0].id))
	p.data.SetOut(filters.Where(func(_ *channel.Event, s *channel.Sink) bool { return uint64(s.Node) == p.to.Load() }))
	if _, err := p.data.Subscribe(channel.Match{}, p.handle); err != nil {
		c.t.Fatal(err)
	}
	synctest.Wait() // linked: what it says of itself now is heard
	p.load(0, 100)
	return p
}

func (p *rawPeer) handle(e *channel.Event) {
	switch e.Type {
	case typeOffer:
		p.control.Handle(e)
		if !p.coy.Load() {
			p.claim(e)
		}
	case typeWithdraw:
		p.control.Handle(e)
	case typeClaim:
		p.control.Handle(e)
	default:
		p.events.Handle(e)
	}
	if p.does != nil {
		p.does(p, e)
	}
}

// claim claims what an offer was about.
func (p *rawPeer) claim(offer *channel.Event) {
	m, err := unpackOffer(offer.Body)
	if err != nil {
		p.c.t.Error(err)
	}
	p.say(typeClaim, offer.Re, packEpoch(m.Epoch))
}

// load has the peer describe itself so, at once.
func (p *rawPeer) load(load float64, capacity int64) {
	p.c.t.Helper()
	if err := p.node.Describe(loadOf(load, capacity, 0.02)...); err != nil {
		p.c.t.Fatal(err)
	}
	p.report()
	synctest.Wait()
}

// loadOf is what a node describes itself with.
func loadOf(load float64, capacity int64, service float64) []channel.Attr {
	return []channel.Attr{filters.Load.Of(load), filters.Capacity.Of(capacity), filters.Service.Of(service)}
}

// say submits an event about re.
func (p *rawPeer) say(typ channel.Type, re channel.ID, body []byte) channel.ID {
	p.c.t.Helper()
	id, err := p.data.Submit(context.Background(), channel.Event{Type: typ, Re: re, Body: body})
	if err != nil {
		p.c.t.Errorf("%s: %v", typ, err)
	}
	return id
}

// leave closes the data channel, as a node does that goes.
func (p *rawPeer) leave() { p.data.Close() }

// ofType is the events of that type that came, once there are n.
func (p *rawPeer) ofType(typ channel.Type, n int) (found []*channel.Event) {
	p.c.t.Helper()
	for seen := 0; len(found) < n; {
		all := p.events.Wait(p.c.t, seen+1)
		for _, e := range all[seen:] {
			if e.Type == typ {
				found = append(found, e)
			}
		}
		seen = len(all)
	}
	return found
}

// packed is a message for say.
func packed[H any, P interface {
	*H
	packer
}](head H, first string) []byte {
	b, err := packMessage(P(&head), []byte(first))
	if err != nil {
		panic(err) // of a test's own head
	}
	return b
}

// bodyPart is a body event for say.
func bodyPart(flag byte, offset int64, data string) []byte {
	b := make([]byte, chunkHeader, chunkHeader+len(data))
	putChunkHeader(b, flag, offset)
	return append(b, data...)
}
