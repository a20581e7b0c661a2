package sim

import (
	"slices"

	"kecho/balancer/choice"
	"kecho/balancer/policy"
	"kecho/channel"
	"kecho/filters"
)

// picker is the sinks that a node's OUT-filter sees: its peers, as it has heard
// of them. All nodes share it, one after the other: a thousand of their own
// would only push each other out of the processor's caches.
type picker struct {
	nodes []*coreNode
	drawn []int // nodes that are looked at
	heard []policy.Report
	sinks []channel.Sink
	attrs [][3]channel.Attr
	event channel.Event
}

func newPicker(nodes []*coreNode) *picker {
	return &picker{nodes: nodes, attrs: make([][3]channel.Attr, min(len(nodes)-1, choice.Looked))}
}

// pick appends who gets a submission of node n to peers.
func (p *picker) pick(n *coreNode, e policy.Effect, peers []policy.Peer) []policy.Peer {
	for _, s := range n.chooser.Pick(n.now, e, &p.event, p.look(n)) {
		peers = append(peers, policy.Peer(s.Node))
	}
	return peers
}

// look is the sinks of node n: all peers, or in a large cluster some at random.
func (p *picker) look(n *coreNode) []channel.Sink {
	p.draw(n)
	p.heard, p.sinks = p.heard[:0], p.sinks[:0]
	for _, i := range p.drawn { // by itself, so that the processor fetches several at once
		report, _ := n.core.Heard(p.nodes[i].name())
		p.heard = append(p.heard, report)
	}
	for k, i := range p.drawn {
		if o := p.nodes[i]; !o.dead {
			p.sinks = append(p.sinks, sink(o, p.heard[k], &p.attrs[k]))
		}
	}
	return p.sinks
}

// draw says which nodes n looks at.
func (p *picker) draw(n *coreNode) {
	p.drawn = p.drawn[:0]
	for len(p.drawn) < len(p.attrs) {
		i := (n.index + 1 + len(p.drawn)) % len(p.nodes)
		if len(p.nodes) > choice.Looked+1 {
			i = n.random.IntN(len(p.nodes))
		}
		if i != n.index && !slices.Contains(p.drawn, i) {
			p.drawn = append(p.drawn, i)
		}
	}
}

// sink is a peer as the filters see it, by what was heard of it.
func sink(o *coreNode, heard policy.Report, attrs *[3]channel.Attr) channel.Sink {
	s := channel.Sink{Node: channel.NodeID(o.name())}
	if heard.Service > 0 {
		attrs[0], attrs[1], attrs[2] = filters.Load.Of(heard.Load), filters.Capacity.Of(int64(heard.Places)), o.zone
		s.Attrs = attrs[:]
	} else if o.cfg.Scenario.Zones > 0 {
		attrs[0] = o.zone
		s.Attrs = attrs[:1]
	}
	return s
}
