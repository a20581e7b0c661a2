package sim

import (
	"math/rand/v2"
	"slices"

	"kecho/balancer/policy"
	"kecho/channel"
	"kecho/filters"
)

// The events that a picker's filters see.
const (
	typeOffer channel.Type = "offer"
	typePush  channel.Type = "push"
)

// How many sinks the filters look at, and how many of them a push compares: a
// decision must not cost more in a larger cluster.
const (
	sampled  = 32
	compared = 8
)

// picker is a node's OUT-filter and the sinks that it sees: its peers, as it
// has heard of them.
type picker struct {
	node   *coreNode
	filter channel.Filter
	random *rand.Rand
	drawn  []int // nodes that are looked at
	sinks  []channel.Sink
	attrs  [][2]channel.Attr
	effect policy.Effect // that is being submitted
}

func newPicker(n *coreNode) *picker {
	p := &picker{node: n, random: rand.New(rand.NewPCG(n.cfg.Seed, uint64(n.index)))}
	p.attrs = make([][2]channel.Attr, min(len(n.nodes)-1, sampled))
	p.filter = p.chain()
	return p
}

// chain is the OUT-filter of offers and pushes.
func (p *picker) chain() channel.Filter {
	most := func(*channel.Event) int { return p.effect.Most }
	mayAsk := filters.Where(func(_ *channel.Event, s *channel.Sink) bool {
		return p.node.core.MayAsk(p.node.now, p.effect.Request, policy.Peer(s.Node))
	})
	offer := filters.Chain(filters.RemoteOnly, filters.Taking, mayAsk, filters.Sample(filters.SampleConfig{
		NFor: most, Rand: p.random.Float64,
		Weight: func(s *channel.Sink) float64 { return p.node.core.Weight(policy.Peer(s.Node)) },
	}))
	push := filters.Chain(filters.RemoteOnly, filters.Taking, mayAsk,
		filters.Sample(filters.SampleConfig{N: compared, Rand: p.random.Float64}),
		filters.LeastLoaded(filters.LeastLoadedConfig{
			NFor: most, Rand: p.random.IntN,
			Sent: func(n channel.NodeID) int { return p.node.core.InFlight(policy.Peer(n)) },
		}),
		filters.Where(func(_ *channel.Event, s *channel.Sink) bool {
			return p.node.core.Promises(p.node.now, policy.Peer(s.Node), p.effect.Message.MaxWait)
		}))
	return filters.ByType(map[channel.Type]channel.Filter{typeOffer: offer, typePush: push}, filters.None)
}

// pick appends who gets a submission to peers.
func (p *picker) pick(e policy.Effect, peers []policy.Peer) []policy.Peer {
	p.effect = e
	event := channel.Event{Type: typeOffer, ID: channel.ID{Source: channel.NodeID(p.node.name()), Seq: e.Message.ID}}
	if e.Message.Kind == policy.Push {
		event.Type = typePush
	}
	for _, s := range p.filter(&event, p.look()) {
		peers = append(peers, policy.Peer(s.Node))
	}
	return peers
}

// look is the sinks: all peers, or in a large cluster some at random.
func (p *picker) look() []channel.Sink {
	p.drawn, p.sinks = p.drawn[:0], p.sinks[:0]
	for len(p.drawn) < len(p.attrs) {
		i := (p.node.index + 1 + len(p.drawn)) % len(p.node.nodes)
		if len(p.node.nodes) > sampled+1 {
			i = p.random.IntN(len(p.node.nodes))
		}
		if i == p.node.index || slices.Contains(p.drawn, i) {
			continue
		}
		p.drawn = append(p.drawn, i)
		if o := p.node.nodes[i]; !o.dead {
			p.sinks = append(p.sinks, p.sink(o.name(), &p.attrs[len(p.drawn)-1]))
		}
	}
	return p.sinks
}

// sink is a peer as the filters see it, by what was heard of it.
func (p *picker) sink(peer policy.Peer, attrs *[2]channel.Attr) channel.Sink {
	s := channel.Sink{Node: channel.NodeID(peer)}
	if r, ok := p.node.core.Heard(peer); ok {
		*attrs = [2]channel.Attr{filters.Load.Of(r.Load), filters.Capacity.Of(int64(r.Places))}
		s.Attrs = attrs[:]
	}
	return s
}
