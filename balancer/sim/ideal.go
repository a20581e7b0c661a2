package sim

// ideal is the limits: one queue for all places (central), or the shortest
// queue known perfectly and at once (jsq).
type ideal struct {
	*world
	central bool
	servers []server
	queue   []*job // central
	vacant  vacancies
	random  func(n int) int
	runs    uint64
}

type server struct {
	running int
	dead    bool
	jobs    []*job
	queue   []*job
}

func newIdeal(w *world) *ideal {
	return &ideal{world: w, central: w.cfg.Policy == Central, servers: make([]server, w.cfg.Nodes),
		vacant: newVacancies(w.cfg.Nodes, w.cfg.Scenario.speed), random: stream(w.cfg.Seed, "ties").IntN}
}

func (c *ideal) arrive(j *job) {
	if c.central {
		c.queue = append(c.queue, j)
		c.dispatch()
		return
	}
	i := c.shortest()
	c.servers[i].queue = append(c.servers[i].queue, j)
	c.serve(i)
}

// shortest is the live server where a job would wait least, by its speed.
func (c *ideal) shortest() int {
	best, least, equals := 0, -1.0, 0
	for i := range c.servers {
		s := &c.servers[i]
		if s.dead {
			continue
		}
		load := float64(s.running+len(s.queue)+1) / c.cfg.Scenario.speed(i)
		switch {
		case least < 0 || load < least:
			best, least, equals = i, load, 1
		case load == least:
			if equals++; c.random(equals) == 0 {
				best = i
			}
		}
	}
	return best
}

// dispatch gives the head of the central queue the fastest free place.
func (c *ideal) dispatch() {
	for len(c.queue) > 0 {
		best, ok := c.vacant.first()
		if !ok {
			return
		}
		j := c.queue[0]
		c.queue = c.queue[1:]
		c.start(best, j)
	}
}

func (c *ideal) serve(i int) {
	s := &c.servers[i]
	for !s.dead && s.running < c.parallel() && len(s.queue) > 0 {
		j := s.queue[0]
		s.queue = s.queue[1:]
		c.start(i, j)
	}
}

// start begins j at server i, unless its client is gone.
func (c *ideal) start(i int, j *job) {
	if c.now-j.arrived > c.cfg.Timeout {
		c.end(j, late)
		return
	}
	c.begin(j, i)
	c.servers[i].running++
	c.vacant.set(i, c.servers[i].running < c.parallel())
	c.runs++
	j.run = c.runs
	c.servers[i].jobs = append(c.servers[i].jobs, j)
	c.plan(event{at: c.now + c.takes(j, i), what: finishes, node: i, job: j, run: j.run})
}

func (c *ideal) handle(e event) {
	s := &c.servers[e.node]
	switch e.what {
	case finishes:
		if e.job.run != e.run {
			return
		}
		c.spend(c.now - e.job.began)
		c.got(e.job, c.now-e.job.began)
		c.end(e.job, answered)
		s.running--
		c.vacant.set(e.node, true)
		s.jobs = without(s.jobs, e.job)
	case dies:
		running, queued := s.jobs, s.queue
		*s = server{dead: true}
		c.vacant.set(e.node, false)
		for _, j := range running {
			j.run = 0
			c.spend(c.now - j.began)
			c.arrive(j)
		}
		for _, j := range queued {
			c.arrive(j)
		}
	case revives:
		s.dead = false
		c.vacant.set(e.node, true)
	}
	if c.central {
		c.dispatch()
		return
	}
	c.serve(e.node)
}

func without(jobs []*job, j *job) []*job {
	for i := range jobs {
		if jobs[i] == j {
			jobs[i] = jobs[len(jobs)-1]
			return jobs[:len(jobs)-1]
		}
	}
	return jobs
}
