package sim

import (
	"math/rand/v2"
	"slices"

	"kecho/balancer/choice"
	"kecho/balancer/policy"
	"kecho/channel"
	"kecho/filters"
)

// picker is the sinks that a node's OUT-filter sees: its peers, as it has heard
// of them.
type picker struct {
	node    *coreNode
	chooser *choice.Chooser
	random  *rand.Rand
	drawn   []int // nodes that are looked at
	sinks   []channel.Sink
	attrs   [][2]channel.Attr
	event   channel.Event
}

func newPicker(n *coreNode) *picker {
	p := &picker{node: n, random: rand.New(rand.NewPCG(n.cfg.Seed, uint64(n.index)))}
	p.attrs = make([][2]channel.Attr, min(n.cfg.Nodes-1, choice.Looked))
	p.begin()
	return p
}

// begin is for each new core of the node.
func (p *picker) begin() {
	p.chooser = choice.New(choice.Config{Core: p.node.core, Rand: p.random.Float64})
}

// pick appends who gets a submission to peers.
func (p *picker) pick(e policy.Effect, peers []policy.Peer) []policy.Peer {
	for _, s := range p.chooser.Pick(p.node.now, e, &p.event, p.look()) {
		peers = append(peers, policy.Peer(s.Node))
	}
	return peers
}

// look is the sinks: all peers, or in a large cluster some at random.
func (p *picker) look() []channel.Sink {
	p.drawn, p.sinks = p.drawn[:0], p.sinks[:0]
	for len(p.drawn) < len(p.attrs) {
		i := (p.node.index + 1 + len(p.drawn)) % len(p.node.nodes)
		if len(p.node.nodes) > choice.Looked+1 {
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
