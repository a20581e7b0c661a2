package sim

import "time"

// inside is a node's web server: it runs as many services at once as it can and
// has the others wait inside it, first come first served, which the agent before
// it does not see.
type inside struct {
	busy    int
	waiting []*service
}

// parallel is how many services the server of each node runs at once now.
func (w *world) parallel() int {
	s := &w.cfg.Scenario
	if s.Later > 0 && w.now >= w.cfg.length()/2 {
		return s.Later
	}
	return s.Places
}

// enter gives a service to the web server.
func (n *coreNode) enter(s *service) {
	n.server.waiting = append(n.server.waiting, s)
	n.work()
}

// work begins what the server has room for.
func (n *coreNode) work() {
	for n.server.busy < n.parallel() && len(n.server.waiting) > 0 {
		s := n.server.waiting[0]
		n.server.waiting = n.server.waiting[1:]
		n.server.busy++
		s.works, s.since = true, n.now
		n.plan(event{at: n.now + n.takes(s.job, n.index), what: finishes, node: n.index, life: n.life, service: s})
	}
}

// exit takes a service out of the web server and returns what it worked on it.
func (n *coreNode) exit(s *service) time.Duration {
	if !s.works {
		for i, other := range n.server.waiting {
			if other == s {
				n.server.waiting = append(n.server.waiting[:i], n.server.waiting[i+1:]...)
				break
			}
		}
		return 0
	}
	n.server.busy--
	n.work()
	return n.now - s.since
}

// places is how many places the agents believe in, in the mean.
func (c *cores) places() float64 {
	sum, live := 0, 0
	for _, n := range c.nodes {
		if r := n.core.Report(); !n.dead && r.Places > 0 {
			sum += r.Places
			live++
		}
	}
	return float64(sum) / float64(max(live, 1))
}
