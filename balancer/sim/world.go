package sim

import (
	"context"
	"math/rand/v2"
	"time"
)

// world is what is the same under every policy: time, clients, servers'
// speeds, faults, and what is measured.
type world struct {
	agenda
	cfg     Config
	clients clients
	faults  *rand.Rand
	warm    time.Duration // nothing before is measured
	until   time.Duration // nothing after is simulated

	requests  int // all that came
	measured  int
	latencies []float32 // seconds, of those answered in time
	cold      []float32 // of them, those of clients of nodes that are not hot
	here      tally     // of them, those that their own node served
	away      tally     // the others
	late      int       // answered too late, or not in time
	refused   int
	failed    int
	twice     int           // began more than once
	work      time.Duration // of servers, for all
	wasted    time.Duration // of it for nobody
	begun     int           // by servers, from a second after one broke
	far       int           // began in another zone than their client's
	holed     int           // of them by that one
	told      int           // reports, by whom each is heard
	moved     int           // requests that a peer got, where no core counts it
}

// clients is who asks for what, in the order of time: a scenario's, or recorded
// ones.
type clients interface {
	// next is the next arrival; false after the last.
	next() (arrival, bool)
}

// checkEvery is how many events pass between looks at the context.
const checkEvery = 1 << 16

func (w *world) run(ctx context.Context, c cluster) error {
	w.planArrival()
	w.planDeaths()
	for n := 1; ; n++ {
		if n%checkEvery == 0 {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			if w.cfg.Progress != nil {
				w.cfg.Progress(min(float64(w.now)/float64(w.cfg.length()), 1))
			}
		}
		e, ok := w.next()
		if !ok || w.now > w.until {
			return nil
		}
		if e.what != arrives {
			c.handle(e)
			continue
		}
		w.planArrival()
		w.requests++
		c.arrive(e.job)
	}
}

// planArrival plans the next request; a client whose node is dead asks the
// next one.
func (w *world) planArrival() {
	a, ok := w.clients.next()
	if !ok {
		return
	}
	for w.dead(a.node, a.at) {
		a.node = (a.node + 1) % w.cfg.Nodes
	}
	j := &job{arrived: a.at, size: a.size, node: a.node}
	j.Movable, j.Repeatable, j.Light, j.Timeout = true, true, true, w.cfg.Timeout
	w.plan(event{at: a.at, what: arrives, job: j})
}

func (w *world) dead(node int, at time.Duration) bool {
	return w.cfg.Nodes > 3 && w.cfg.Scenario.dead(node, at, w.cfg.length())
}

func (w *world) planDeaths() {
	if !w.cfg.Scenario.Death || w.cfg.Nodes <= 3 {
		return
	}
	end := w.cfg.length()
	for i := 3; i < w.cfg.Nodes; i += 8 {
		w.plan(event{at: end / 2, what: dies, node: i})
		w.plan(event{at: end/2 + end/6, what: revives, node: i})
	}
}

// takes is how long a job takes at a node.
func (w *world) takes(j *job, node int) time.Duration {
	if w.cfg.Scenario.broken(node, w.now, w.cfg.length()) {
		return time.Millisecond
	}
	took := max(time.Duration(float64(j.size)/w.cfg.Scenario.speed(node)), 1)
	if s := &w.cfg.Scenario; s.Hiccup > 0 && w.faults.Float64() < s.Hiccup {
		took += s.HiccupTime
	}
	return took
}

// begin notes that the server of a node began a job.
func (w *world) begin(j *job, node int) {
	if end := w.cfg.length(); w.cfg.Scenario.Hole && w.now > end/2+time.Second && w.now < end {
		w.begun++
		if w.cfg.Scenario.broken(node, w.now, end) {
			w.holed++
		}
	}
	j.began, j.away = w.now, node != j.node
	if w.cfg.Scenario.zone(node) != w.cfg.Scenario.zone(j.node) {
		w.far++
	}
	j.starts++
	if j.starts == 2 {
		w.twice++
	}
}

// spend notes what a server spent on a job: for nobody, until somebody got it.
func (w *world) spend(took time.Duration) {
	w.work += took
	w.wasted += took
}

// got notes that what a server spent on a job is in an answer that is with the
// owner: it was for the client if that still waits for it.
func (w *world) got(j *job, took time.Duration) {
	if !j.over && w.now-j.arrived+j.way <= w.cfg.Timeout {
		w.wasted -= took
	}
}

// outcome of a job, for its client.
type outcome uint8

const (
	answered outcome = iota
	refused
	failed
	late
)

// end notes what became of a job.
func (w *world) end(j *job, how outcome) {
	if j.over {
		return
	}
	j.over = true
	if j.arrived < w.warm {
		return
	}
	w.measured++
	took := w.now - j.arrived + j.way
	switch {
	case how == refused:
		w.refused++
	case how == failed:
		w.failed++
	case how == late || took > w.cfg.Timeout:
		w.late++
		w.latencies = append(w.latencies, float32(w.cfg.Timeout.Seconds()))
	default:
		w.latencies = append(w.latencies, float32(took.Seconds()))
		if j.away {
			w.away.add(took)
		} else {
			w.here.add(took)
		}
		if s := &w.cfg.Scenario; s.Hot > 0 && j.node%8 >= s.Hot {
			w.cold = append(w.cold, float32(took.Seconds()))
		}
	}
}
