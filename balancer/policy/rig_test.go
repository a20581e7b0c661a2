package policy

import (
	"fmt"
	"slices"
	"time"
)

// rig is cores with a network between them that does what a test says: each
// message lies there until it is delivered, dropped or doubled, in any order.
type rig struct {
	now    time.Duration
	cores  map[Peer]*Core
	names  []Peer // of all that ever were, in their order
	flight []flying
	served []*service
	calls  []*call
	chosen func(n int) int // a number below n; nil: 0
	log    func(format string, args ...any)
	liars  map[Peer]func(f flying) // what they do with what they get, instead of what a core does
}

// flying is a message on its way; with no kind it is an answer, or that a call
// failed at a peer.
type flying struct {
	from, to Peer
	m        Message
	failed   bool
}

// call is one client's request and what became of it.
type call struct {
	Request
	name   string
	owner  Peer
	begun  int    // by web servers
	ends   int    // answers to its client
	result string // the last
	wanted bool   // the client is there
}

// service is one request at a web server.
type service struct {
	at    Peer
	r     *Request
	call  *call
	began time.Duration
}

func newRig(names []Peer, cfg Config) *rig {
	g := &rig{cores: map[Peer]*Core{}, names: names, log: func(string, ...any) {}}
	for _, p := range names {
		g.cores[p] = NewCore(cfg)
	}
	for _, p := range names {
		for _, q := range names {
			if p != q {
				g.cores[p].Hear(0, q, Report{})
			}
		}
	}
	return g
}

func (g *rig) arrive(p Peer, c *call) {
	c.owner, c.wanted, c.Data = p, true, c
	g.calls = append(g.calls, c)
	atOnce := g.cores[p].AtOnce(&c.Request)
	out := g.cores[p].Arrive(g.now, &c.Request, nil)
	if begun := len(out) == 1 && out[0].Do == DoStart && out[0].Request == &c.Request; atOnce && !begun {
		panic(fmt.Sprintf("a request that was to begin at once: %+v", out))
	}
	g.do(p, out)
}

// do does what a core says, as a driver does.
func (g *rig) do(p Peer, out []Effect) {
	core := g.cores[p]
	for i := 0; i < len(out); i++ {
		e := out[i]
		switch e.Do {
		case DoStart:
			c := e.Request.Data.(*call)
			c.begun++
			g.served = append(g.served, &service{p, e.Request, c, g.now})
			g.log("%c: start %s\n", p, c.name)
		case DoSubmit:
			to := g.pick(p, e)
			g.log("%c: submit %v to %s\n", p, e.Message.Kind, letters(to))
			out = core.Sent(g.now, e.Request, e.Message, to, out)
			for _, q := range to {
				g.flight = append(g.flight, flying{from: p, to: q, m: e.Message})
			}
		case DoSend:
			g.log("%c: %v to %c\n", p, e.Message.Kind, e.To)
			g.flight = append(g.flight, flying{from: p, to: e.To, m: e.Message})
		case DoAbort:
			i := slices.IndexFunc(g.served, func(s *service) bool { return s.r == e.Request })
			s := g.served[i]
			g.served = slices.Delete(g.served, i, i+1)
			g.log("%c: abort %s\n", p, s.call.name)
			out = core.Finish(g.now, s.r, g.now-s.began, Aborted, out)
		case DoForget:
		default:
			c := e.Request.Data.(*call)
			g.end(c, e.Do.String())
		}
	}
}

func (g *rig) end(c *call, how string) {
	c.ends++
	c.wanted = false
	c.result = how
	g.log("%c: %s %s\n", c.owner, how, c.name)
}

// pick is the OUT-filter: the first that may be asked, from a place on that
// the test chooses.
func (g *rig) pick(p Peer, e Effect) (to []Peer) {
	first := 0
	if g.chosen != nil {
		first = g.chosen(len(g.names))
	}
	for k := range g.names {
		q := g.names[(first+k)%len(g.names)]
		core := g.cores[p]
		if q == p || g.cores[q] == nil || len(to) == e.Most || !core.MayAsk(g.now, e.Request, q) {
			continue
		}
		if e.Choose != Best || core.Promises(g.now, q, e.Message.MaxWait) {
			to = append(to, q)
		}
	}
	return to
}

// deliver hands over the i-th message that is on its way.
func (g *rig) deliver(i int, keep bool) {
	f := g.flight[i]
	if !keep {
		g.flight = slices.Delete(g.flight, i, i+1)
	}
	core := g.cores[f.to]
	if core == nil || g.cores[f.from] == nil {
		return // links end with their processes
	}
	if lie := g.liars[f.to]; lie != nil {
		lie(f)
		return
	}
	if f.m.Kind != 0 {
		g.do(f.to, core.Receive(g.now, f.from, f.m, nil))
		return
	}
	c := f.m.Data.(*call)
	if c.owner != f.to || !c.wanted || !core.Awaits(&c.Request, f.from, f.m.Epoch) {
		return // the IN-filter
	}
	if f.failed {
		g.do(f.to, core.NoAnswer(g.now, &c.Request, f.from, true, nil))
		return
	}
	g.end(c, "answered")
	g.do(f.to, core.Answered(g.now, &c.Request, f.from, nil))
}

// finish ends the i-th service.
func (g *rig) finish(i int, res Result) {
	s := g.served[i]
	g.served = slices.Delete(g.served, i, i+1)
	if res == Unreached {
		s.call.begun--
	}
	owner, epoch := s.r.owner, s.r.epoch
	if owner != 0 && res != Unreached {
		g.flight = append(g.flight, flying{from: s.at, to: owner, failed: res == Broken,
			m: Message{ID: s.r.id, Epoch: epoch, Data: s.call}})
	}
	if owner == 0 && res == Served && s.call.wanted && g.cores[s.at].Awaits(s.r, 0, epoch) {
		g.end(s.call, "answered")
	}
	g.do(s.at, g.cores[s.at].Finish(g.now, s.r, g.now-s.began, res, nil))
}

// leave is a client that goes.
func (g *rig) leave(c *call) {
	c.wanted = false
	if core := g.cores[c.owner]; core != nil {
		g.do(c.owner, core.Leave(g.now, &c.Request, nil))
	}
}

// kill ends a node; the others learn of it at once.
func (g *rig) kill(p Peer) {
	delete(g.cores, p)
	g.served = slices.DeleteFunc(g.served, func(s *service) bool { return s.at == p })
	for _, c := range g.calls {
		if c.owner == p {
			c.wanted = false
		}
	}
	for _, q := range g.names {
		if g.cores[q] != nil {
			g.do(q, g.cores[q].PeerGone(g.now, p, nil))
		}
	}
}

// tick has every core do what is due.
func (g *rig) tick() {
	for _, p := range g.names {
		if core := g.cores[p]; core != nil {
			if at, ok := core.Next(); ok && at <= g.now {
				g.do(p, core.Tick(g.now, nil))
			}
		}
	}
}

// letters is peers by name.
func letters(ps []Peer) string {
	if len(ps) == 0 {
		return "nobody"
	}
	s := ""
	for _, p := range ps {
		s += fmt.Sprintf("%c", p)
	}
	return s
}
