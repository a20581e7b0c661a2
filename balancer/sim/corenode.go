package sim

import (
	"math/rand/v2"
	"time"

	"kecho/balancer/choice"
	"kecho/balancer/policy"
	"kecho/channel"
	"kecho/filters"
)

// coreNode drives one core as the agent does.
type coreNode struct {
	*cores
	index   int
	life    int // rises with each death
	dead    bool
	core    *policy.Core
	chooser *choice.Chooser // core's
	past    []policy.Counts // of earlier lives
	random  *rand.Rand      // for its OUT-filter
	wakeAt  time.Duration   // 0: not planned
	zone    channel.Attr
	drawn   int // requests that it got by lying
	server  inside
	// serving is what is at the web server.
	serving map[*policy.Request]*service
}

// service is one request at one web server.
type service struct {
	job     *job
	request *policy.Request
	began   time.Duration
	works   bool          // it does not wait inside the server
	since   time.Duration // when that began
	worked  time.Duration // on it, in all
}

func (n *coreNode) name() policy.Peer { return peerOf(n.index, n.life) }

// open begins a life.
func (n *coreNode) open() {
	n.core = policy.NewCore(n.cfg.core())
	zone := n.cfg.Scenario.zone(n.index)
	n.chooser = choice.New(choice.Config{Core: n.core, Zone: zone, Rand: n.random.Float64})
	n.zone = filters.Zone.Of(zone)
	n.server = inside{}
	n.serving = make(map[*policy.Request]*service)
	n.core.SetRoundTrip(2 * n.cfg.Delay)
}

// knownPeers is how many peers a node has met at the start at most.
const knownPeers = 64

func (n *coreNode) meetAll() {
	for k := 1; k <= min(len(n.nodes)-1, knownPeers); k++ {
		p := n.nodes[(n.index+k)%len(n.nodes)]
		if !p.dead {
			n.core.Hear(n.now, p.name(), policy.Report{})
		}
	}
}

func (n *coreNode) handle(e event) {
	n.out = n.out[:0]
	switch e.what {
	case finishes:
		n.finish(e.service, n.outcome())
	case receives:
		m := *e.message
		n.spare = append(n.spare, e.message)
		if n.lies(e.from, m) {
			return
		}
		n.out = n.core.Receive(n.now, e.from, m, n.out)
	case answers:
		if !n.core.Awaits(&e.job.Request, e.from, e.epoch) {
			return // the IN-filter drops it
		}
		if e.failed {
			n.out = n.core.NoAnswer(n.now, &e.job.Request, e.from, true, n.out)
			break
		}
		e.job.away = true
		n.got(e.job, e.service.worked)
		n.end(e.job, answered)
		n.out = n.core.Answered(n.now, &e.job.Request, e.from, n.out)
	case wakes:
		if e.at != n.wakeAt {
			return // the plan has changed
		}
		n.wakeAt = 0
		n.out = n.core.Tick(n.now, n.out)
	case loses:
		n.out = n.core.PeerGone(n.now, e.from, n.out)
	case meets:
		n.core.Hear(n.now, e.from, policy.Report{})
	}
	n.do()
}

// do does what the core says.
func (n *coreNode) do() {
	for i := 0; i < len(n.out); i++ {
		e := n.out[i]
		switch e.Do {
		case policy.DoStart:
			n.begins(e.Request)
		case policy.DoSend:
			n.transmit(e.To, e.Message)
		case policy.DoSubmit:
			n.peers = n.picker.pick(n, e, n.peers[:0])
			n.out = n.core.Sent(n.now, e.Request, e.Message, n.peers, n.out)
			for _, p := range n.peers {
				n.transmit(p, e.Message)
			}
		case policy.DoAbort:
			n.finish(n.serving[e.Request], policy.Aborted)
		case policy.DoShed:
			n.end(e.Request.Data.(*job), refused)
		case policy.DoFail:
			n.end(e.Request.Data.(*job), failed)
		case policy.DoExpire:
			n.end(e.Request.Data.(*job), late)
		}
	}
	if at, ok := n.core.Next(); ok && (n.wakeAt == 0 || at < n.wakeAt) {
		n.wakeAt = max(at, n.now+1)
		n.plan(event{at: n.wakeAt, what: wakes, node: n.index, life: n.life})
	}
}

// begins gives a request to the web server.
func (n *coreNode) begins(r *policy.Request) {
	j := r.Data.(*job)
	n.begin(j, n.index)
	s := &service{job: j, request: r, began: n.now}
	n.serving[r] = s
	n.enter(s)
}

// outcome is how a service ends that ends now.
func (n *coreNode) outcome() policy.Result {
	if n.cfg.Scenario.broken(n.index, n.now, n.cfg.length()) {
		return policy.Broken
	}
	return policy.Served
}

// finish gives a place back, once for each service: one that was aborted has
// ended before.
func (n *coreNode) finish(s *service, res policy.Result) {
	r, j := s.request, s.job
	if n.serving[r] != s {
		return
	}
	delete(n.serving, r)
	took, owner := n.now-s.began, r.Owner()
	s.worked = n.exit(s)
	n.spend(s.worked)
	switch {
	case owner == 0 && res == policy.Served && n.core.Awaits(r, 0, r.Epoch()): // else the core says what becomes of it
		j.away = false
		n.got(j, s.worked)
		n.end(j, answered)
	case owner != 0 && res != policy.Aborted:
		if o := n.node(owner); o != nil {
			n.plan(event{at: n.now + n.delay(n.index, o.index), what: answers, node: o.index, life: o.life, from: n.name(), job: j, service: s, epoch: r.Epoch(), failed: res == policy.Broken})
		}
	}
	n.out = n.core.Finish(n.now, r, took, res, n.out)
}

// transmit sends a message over the network.
func (n *coreNode) transmit(to policy.Peer, m policy.Message) {
	o := n.node(to)
	if o == nil || n.cfg.Loss > 0 && n.losses.Float64() < n.cfg.Loss {
		return
	}
	n.plan(event{at: n.now + n.delay(n.index, o.index), what: receives, node: o.index, life: o.life, from: n.name(), message: n.message(m)})
}

// detect is how long a link takes to break after a process ended.
const detect = 5 * time.Millisecond

// die ends a node at once: its clients' requests end with it, its peers learn
// of it by their links.
func (n *coreNode) die() {
	n.dead = true
	for _, o := range n.nodes {
		if o != n && !o.dead {
			n.plan(event{at: n.now + detect, what: loses, node: o.index, life: o.life, from: n.name()})
		}
	}
}

// revive begins the node's next life.
func (n *coreNode) revive() {
	n.past = append(n.past, n.core.Counts())
	n.life, n.dead, n.wakeAt = n.life+1, false, 0
	n.open()
	n.meetAll()
	for _, o := range n.nodes {
		if o != n && !o.dead {
			n.plan(event{at: n.now + n.cfg.Delay, what: meets, node: o.index, life: o.life, from: n.name()})
		}
	}
}
