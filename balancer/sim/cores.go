package sim

import (
	"math/rand/v2"
	"slices"

	"kecho/balancer/policy"
)

// cores is a cluster of nodes that decide with policy.Core.
type cores struct {
	*world
	nodes  []*coreNode
	losses *rand.Rand
	picker *picker
	// What one node is to do now, and whom it submits to: one at a time.
	out   []policy.Effect
	peers []policy.Peer
}

func newCores(w *world) *cores {
	c := &cores{world: w, losses: stream(w.cfg.Seed, "losses")}
	for i := range w.cfg.Nodes {
		n := &coreNode{cores: c, index: i, random: rand.New(rand.NewPCG(w.cfg.Seed, uint64(i)))}
		n.open()
		c.nodes = append(c.nodes, n)
	}
	c.picker = newPicker(c.nodes)
	for _, n := range c.nodes {
		n.meetAll()
	}
	if every := w.cfg.reports(); every > 0 && w.cfg.Policy != None {
		w.plan(event{at: every, what: reports})
	}
	return c
}

// peerOf names one life of a node.
func peerOf(index, life int) policy.Peer { return policy.Peer(life<<32 | (index + 1)) }

// node is who is behind a name; nil when that life is over.
func (c *cores) node(p policy.Peer) *coreNode {
	n := c.nodes[int(p&(1<<32-1))-1]
	if n.dead || n.name() != p {
		return nil
	}
	return n
}

func (c *cores) arrive(j *job) {
	n := c.nodes[j.node]
	j.Data = j
	n.out = n.core.Arrive(c.now, &j.Request, n.out[:0])
	n.do()
}

func (c *cores) handle(e event) {
	n := c.nodes[e.node]
	switch {
	case e.what == dies:
		n.die()
	case e.what == revives:
		n.revive()
	case e.what == reports:
		c.report()
	case !n.dead && e.life == n.life:
		n.handle(e)
	}
}

// report has every node tell its load: to all up to 32 nodes, to 8 at random
// above.
func (c *cores) report() {
	for _, n := range c.nodes {
		for k := range min(len(c.nodes)-1, 31) {
			to := (n.index + 1 + k) % len(c.nodes)
			if len(c.nodes) > 32 {
				to = c.losses.IntN(len(c.nodes))
			}
			if m := c.nodes[to]; m != n && !n.dead && !m.dead && (len(c.nodes) <= 32 || k < 8) {
				c.told++
				m.core.Hear(c.now, n.name(), n.core.Report())
			}
		}
	}
	if c.now < c.cfg.length() {
		c.plan(event{at: c.now + c.cfg.reports(), what: reports})
	}
}

// counts is what all cores did.
func (c *cores) counts() (sum policy.Counts) {
	for _, n := range c.nodes {
		for _, k := range append(slices.Clone(n.past), n.core.Counts()) {
			sum.Control += k.Control
			sum.Guests += k.Guests
			sum.Carried += k.Carried
			sum.Hedged += k.Hedged
			sum.Won += k.Won
		}
	}
	return sum
}
