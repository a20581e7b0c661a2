package channel

import "slices"

// interest notes that so many subscriptions have come or gone, and how many
// of them are not suspended. While a channel has subscriptions, but none that
// is live, this node does not want its events, and the channel is left out of
// what it announces.
func (c *Channel) interest(subscriptions, live int) {
	c.mu.Lock()
	c.total += subscriptions
	c.live += live
	idle := c.total > 0 && c.live == 0
	changed := idle != c.idle.Swap(idle)
	c.mu.Unlock()
	if changed {
		c.node.announceAnew()
	}
	if c.asked.Load() {
		c.node.interests.mark(c, ownChanged)
	}
}

// announceAnew tells everybody what of this node's announcement has changed.
func (n *Node) announceAnew() {
	n.mu.Lock()
	n.version++
	n.telling.add(n.tellAll)
	n.mu.Unlock()
	n.telling.run()
}

// wantedLocked is the names of the channels of which this node wants events.
func (n *Node) wantedLocked() []string {
	var names []string
	for name, c := range *n.channels.Load() {
		if !c.idle.Load() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// ask tells one peer which channels are watched here; called by n.telling only.
func (n *Node) ask(id NodeID) {
	n.mu.Lock()
	a := asks{n.asking}
	n.mu.Unlock()
	if n.sendControl(id, asksType, a) {
		return
	}
	n.mu.Lock()
	if p := n.peers.Load().Get(id); p != nil {
		p.unasked = true
	}
	n.mu.Unlock()
	n.interests.rouse()
}

// askAgain asks those whose links had no room for it.
func (n *Node) askAgain() {
	n.mu.Lock()
	for id, p := range n.peers.Load().All() {
		if p.unasked && p.linked {
			n.telling.add(func() { n.ask(id) })
		}
		p.unasked = false
	}
	n.mu.Unlock()
	n.telling.run()
}
