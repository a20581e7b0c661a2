package sim

import (
	"time"

	"kecho/channel"
	"kecho/filters"
)

// informed is two reference policies that go by reports alone, least and p2c:
// what finds no place free goes where the last report says that it would wait
// least, of all nodes or of two at random; the node itself, which knows its own
// load, is always among them. They are the stock filters before plain queues and
// no part of policy.Core: nobody counts what it sent, nobody refuses.
type informed struct {
	*world
	servers []server
	loads   []float64      // as last reported
	sinks   []channel.Sink // that are compared
	attrs   [][2]channel.Attr
	best    channel.Filter
	random  func(n int) int
	runs    uint64
}

func newInformed(w *world) *informed {
	random := stream(w.cfg.Seed, "ties").IntN
	c := &informed{world: w, servers: make([]server, w.cfg.Nodes), loads: make([]float64, w.cfg.Nodes),
		attrs: make([][2]channel.Attr, w.cfg.Nodes), random: random,
		best: filters.LeastLoaded(filters.LeastLoadedConfig{Rand: random})}
	c.report()
	return c
}

// report has every node hear of every other, at once.
func (c *informed) report() {
	for i := range c.servers {
		c.loads[i] = c.load(i)
		if !c.servers[i].dead {
			c.told += len(c.servers) - 1
		}
	}
	if c.now < c.cfg.length() {
		c.plan(event{at: c.now + c.cfg.reports(), what: reports})
	}
}

func (c *informed) load(i int) float64 {
	s := &c.servers[i]
	return float64(s.running+len(s.queue)) / float64(c.cfg.Scenario.Places)
}

func (c *informed) arrive(j *job) {
	s := &c.servers[j.node]
	if s.running < c.cfg.Scenario.Places && len(s.queue) == 0 {
		c.start(j.node, j)
		return
	}
	to := c.choose(j.node)
	if to == j.node {
		s.queue = append(s.queue, j)
		return
	}
	c.moved++
	c.plan(event{at: c.now + c.cfg.Delay, what: receives, node: to, job: j})
}

// choose is where a request of node i goes.
func (c *informed) choose(i int) int {
	c.sinks = c.sinks[:0]
	if c.cfg.Policy == P2C {
		for range min(2, len(c.servers)-1) {
			k := c.random(len(c.servers) - 1)
			c.consider((i+1+k)%len(c.servers), 0)
		}
	} else {
		for k := range c.servers {
			if k != i {
				c.consider(k, 0)
			}
		}
	}
	c.consider(i, c.load(i)-c.loads[i])
	return int(c.best(&channel.Event{}, c.sinks)[0].Node) - 1
}

// consider adds node k to what is compared, with what is known of its load
// beyond the last report.
func (c *informed) consider(k int, more float64) {
	if c.servers[k].dead {
		return
	}
	c.attrs[k] = [2]channel.Attr{filters.Load.Of(c.loads[k] + more), filters.Capacity.Of(int64(c.cfg.Scenario.Places))}
	c.sinks = append(c.sinks, channel.Sink{Node: channel.NodeID(k + 1), Attrs: c.attrs[k][:]})
}

// start begins j at server i, unless its client is gone.
func (c *informed) start(i int, j *job) {
	if c.now-j.arrived > c.cfg.Timeout {
		c.end(j, late)
		return
	}
	c.begin(j, i)
	c.runs++
	j.run = c.runs
	s := &c.servers[i]
	s.running++
	s.jobs = append(s.jobs, j)
	c.plan(event{at: c.now + c.takes(j, i), what: finishes, node: i, job: j, run: j.run})
}

// serve starts what waits at server i while there is a place.
func (c *informed) serve(i int) {
	s := &c.servers[i]
	for s.running < c.cfg.Scenario.Places && len(s.queue) > 0 {
		j := s.queue[0]
		s.queue = s.queue[1:]
		c.start(i, j)
	}
}

func (c *informed) handle(e event) {
	s := &c.servers[e.node]
	switch e.what {
	case reports:
		c.report()
	case receives:
		if s.dead {
			c.lose(e.job, c.cfg.Delay)
			return
		}
		s.queue = append(s.queue, e.job)
		c.serve(e.node)
	case answers: // its peer was lost: again
		if !c.servers[e.node].dead {
			c.arrive(e.job)
		}
	case finishes:
		c.finish(e)
	case dies:
		gone := append(s.jobs, s.queue...)
		*s = server{dead: true}
		for _, j := range gone {
			c.lose(j, detect)
		}
	case revives:
		s.dead = false
	}
}

// lose has the owner of j learn after a while that the server which had it is
// dead; with its own node a client's request is gone.
func (c *informed) lose(j *job, after time.Duration) {
	if j.run = 0; !c.servers[j.node].dead {
		c.plan(event{at: c.now + after, what: answers, node: j.node, job: j})
	}
}

func (c *informed) finish(e event) {
	j := e.job
	if j.run != e.run {
		return
	}
	j.run = 0
	s := &c.servers[e.node]
	s.running--
	s.jobs = without(s.jobs, j)
	c.spend(c.now - j.began)
	if e.node != j.node {
		j.way = c.cfg.Delay
	}
	if c.cfg.Scenario.broken(e.node, c.now, c.cfg.length()) {
		c.end(j, failed)
	} else {
		c.got(j, c.now-j.began)
		c.end(j, answered)
	}
	c.serve(e.node)
}
