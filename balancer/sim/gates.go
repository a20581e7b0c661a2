package sim

import (
	"time"

	"kecho/balancer/policy"
	"kecho/channel"
	"kecho/filters"
)

// paperAfter is how long a request waits before the paper's policy moves it
// (the KECho paper, section 4).
const paperAfter = 2500 * time.Millisecond

// gates is a cluster with the KECho paper's policy: a policy.Gate at each node,
// and the least loaded peer by reports once a second. Nothing breaks in it: a
// dead node only takes nothing.
type gates struct {
	*world
	nodes  []*gateNode
	sinks  []channel.Sink // every node, as it last reported
	out    channel.Filter
	picked []channel.Sink
	asking *job
}

// gateNode is one node with its gate.
type gateNode struct {
	gate   *policy.Gate
	dead   bool
	wakeAt time.Duration
}

func newGates(w *world) *gates {
	c := &gates{world: w}
	for i := range w.cfg.Nodes {
		c.nodes = append(c.nodes, &gateNode{gate: policy.NewGate(policy.Limits{
			Soft: w.cfg.Scenario.Places, Hard: w.cfg.Scenario.Places, Queue: 1 << 20,
			QueueAge: w.cfg.Timeout, ForwardAfter: paperAfter,
		})})
		c.sinks = append(c.sinks, channel.Sink{Node: channel.NodeID(i + 1)})
	}
	c.out = filters.Chain(filters.Taking, filters.Where(func(_ *channel.Event, s *channel.Sink) bool {
		i := int(s.Node) - 1
		return i != c.asking.node && !c.nodes[i].dead && c.asking.tried&(1<<i) == 0
	}), filters.LeastLoaded(filters.LeastLoadedConfig{Rand: stream(w.cfg.Seed, "ties").IntN}))
	c.report()
	return c
}

func (c *gates) report() {
	for i, n := range c.nodes {
		s := n.gate.State()
		c.told += len(c.nodes) - 1
		c.sinks[i].Attrs = channel.Attrs{filters.Load.Of(s.Load()), filters.Capacity.Of(int64(s.Capacity()))}
	}
	if c.now < c.cfg.length() {
		c.plan(event{at: c.now + c.cfg.reports(), what: reports})
	}
}

func (c *gates) arrive(j *job) {
	j.ticket = policy.Ticket{Movable: true, Data: j}
	c.follow(j, c.nodes[j.node].gate.Arrive(c.now, &j.ticket))
}

// follow does what the owner's gate says of a job.
func (c *gates) follow(j *job, v policy.Verdict) {
	switch v {
	case policy.Start:
		c.start(j, j.node)
	case policy.Shed:
		c.end(j, refused)
	case policy.Fail:
		c.end(j, failed)
	case policy.Overflow:
		c.asking = j
		c.picked = append(c.picked[:0], c.sinks...)
		to := c.out(&channel.Event{}, c.picked)
		if len(to) == 0 {
			j.tried = 0
			c.follow(j, c.nodes[j.node].gate.Back(c.now, &j.ticket))
			return
		}
		at := int(to[0].Node) - 1
		j.tried |= 1 << at
		c.plan(event{at: c.now + c.cfg.Delay, what: receives, node: at, job: j})
	}
	c.wake(j.node)
}

// start begins a job at the web server of a node, unless its client is gone.
func (c *gates) start(j *job, at int) {
	if c.now-j.arrived > c.cfg.Timeout {
		c.end(j, late)
		c.plan(event{at: c.now, what: finishes, node: at})
		return
	}
	c.begin(j, at)
	c.plan(event{at: c.now + c.takes(j, at), what: finishes, node: at, job: j})
}

func (c *gates) handle(e event) {
	n := c.nodes[e.node]
	switch e.what {
	case reports:
		c.report()
	case receives:
		c.moved++
		if n.dead || !n.gate.Admit() {
			c.plan(event{at: c.now + c.cfg.Delay, what: answers, node: e.job.node, job: e.job})
			return
		}
		c.start(e.job, e.node)
	case answers: // refused: the next peer, while there is one
		c.follow(e.job, policy.Overflow)
	case finishes:
		c.finish(e)
	case wakes:
		n.wakeAt = 0
		for t, v := n.gate.Due(c.now); t != nil; t, v = n.gate.Due(c.now) {
			c.follow(t.Data.(*job), v)
		}
		c.wake(e.node)
	case dies, revives:
		n.dead = e.what == dies
	}
}

func (c *gates) finish(e event) {
	if j := e.job; j != nil {
		c.spend(c.now-j.began, j.over)
		if e.node != j.node {
			j.way = c.cfg.Delay
		}
		c.end(j, answered)
	}
	if t := c.nodes[e.node].gate.Finish(c.now); t != nil {
		c.follow(t.Data.(*job), policy.Start)
	}
	c.wake(e.node)
}

// wake plans when the gate has something due.
func (c *gates) wake(node int) {
	n := c.nodes[node]
	if at, ok := n.gate.Next(); ok && (n.wakeAt == 0 || at < n.wakeAt) {
		n.wakeAt = max(at, c.now+1)
		c.plan(event{at: n.wakeAt, what: wakes, node: node})
	}
}
