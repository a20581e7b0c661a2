package balancer

import (
	"time"

	"kecho/balancer/choice"
	"kecho/balancer/policy"
	"kecho/channel"
	"kecho/filters"
)

// How the OUT-filter picks who is offered or pushed a request.

// few bounds what a choice costs in a large cluster. It has no lock and so
// comes before the choice.
var few = filters.Sample(filters.SampleConfig{N: choice.Looked + 1}) // this node may be among them

// choose is the OUT-filter of offers and pushes: the chooser picks, and the
// core is told before the event goes out.
func (d *desk) choose(e *channel.Event, sinks []channel.Sink) []channel.Sink {
	sinks = d.peerRules.filter(e, sinks)
	if len(sinks) > choice.Looked+1 {
		sinks = few(e, sinks)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.opened[e.ID]
	if s == nil || s.told {
		return sinks[:0]
	}
	sinks = d.chooser.Pick(d.now(), s.effect, e, sinks)
	for i := range sinks {
		s.picked = append(s.picked, sinks[i].Node)
	}
	d.sentLocked(s)
	return sinks
}

// sentLocked tells the core who was picked.
func (d *desk) sentLocked(s *submission) {
	d.peers = d.peers[:0]
	for _, node := range s.picked {
		d.peers = append(d.peers, policy.Peer(node))
	}
	if len(s.picked) > 0 && s.effect.Message.Kind == policy.Push {
		s.effect.Request.Data.(*job).given = true
	}
	d.effects = d.core.Sent(d.now(), s.effect.Request, s.effect.Message, d.peers, d.effects[:0])
	s.left, s.told = d.settleLocked(), true
}

// submit has submit send the event id, for which the OUT-filter picks the peers
// of an effect, and returns those. The core is told of nobody when the filter
// was not even asked.
func (d *desk) submit(id channel.ID, effect policy.Effect, send func() error) ([]channel.NodeID, error) {
	s := &submission{effect: effect}
	d.mu.Lock()
	d.opened[id] = s
	d.mu.Unlock()
	err := send()
	d.mu.Lock()
	delete(d.opened, id)
	if !s.told {
		d.sentLocked(s)
	}
	d.mu.Unlock()
	if len(s.left) > 0 {
		d.errands(s.left)
	}
	return s.picked, err
}

// nobody tells the core that an effect found nobody.
func (d *desk) nobody(effect policy.Effect) {
	d.step(func(now time.Duration, out []policy.Effect) []policy.Effect {
		return d.core.Sent(now, effect.Request, effect.Message, nil, out)
	})
}
