package policy

import (
	"errors"
	"time"
)

// Config is a Core's. The zero values work but for Places.
type Config struct {
	// Places is how many requests the web server runs at once; at least 1.
	// It matters more than the mode does: at 4 x the server's parallelism p99
	// is 1.8 x (docs/design.md, "Policy").
	Places int
	// Hard is how many it runs at most, when no peer takes or may take what
	// waits. Zero: Places; not below it, and not with MaxPlaces.
	Hard int
	// MaxPlaces, above 0, says that Places is only where it begins: how many the
	// web server runs at once is learned from how long it takes beside others,
	// and MaxPlaces is the upper bound.
	MaxPlaces int
	// Queue is how many requests wait here at most, guests that were accepted
	// among them. Zero: 1,024.
	Queue int
	// QueueBytes is how much memory they hold at most, as their drivers say.
	// Zero: 64 MiB.
	QueueBytes int64
	// ShedAge is how old the oldest that waits may be before new requests of
	// its class and of less urgent ones are refused; in Paper beyond Copies.After.
	// Zero: 500 ms. Or Endless.
	ShedAge time.Duration
	// Timeout is how long a client waits that says nothing else. Zero: 5 s.
	Timeout time.Duration
	// Mode says how requests move. Zero: Auto.
	Mode Mode
	// Service is taken for the mean service time until one was measured.
	// Zero: 20 ms.
	Service time.Duration
	// Silence is how long a peer that has a request may say nothing of it, and
	// at least 4 round trips. Zero: 50 ms.
	Silence time.Duration
	// Failures is how many of the last 20 requests at the web server must fail
	// until it is left alone, 20 at most. Zero: 10. Below 0: it never is.
	Failures int
	// PerPeer is how many requests of this node a peer has at once at most,
	// however well it answers. Zero: 4,096.
	PerPeer int
	// MessageCost is the CPU time of one control message, sent or received,
	// for the governor. Zero: 10 µs.
	MessageCost time.Duration
	// Copies says how requests have more than one copy, in Paper, Race and Hedge.
	Copies Copies
	// Budget bounds what is begun again after a loss, and copies in Paper, Race
	// and Hedge, together.
	Budget Budget
}

// Check says what is wrong with the configuration.
func (cfg Config) Check() error {
	switch {
	case cfg.Places < 1:
		return errors.New("there is not one place")
	case cfg.Hard != 0 && cfg.Hard < cfg.Places:
		return errors.New("the hard limit is below the places")
	case cfg.MaxPlaces != 0 && cfg.MaxPlaces < cfg.Places:
		return errors.New("there are more places than the most that may be learned")
	case cfg.MaxPlaces != 0 && cfg.Hard != 0:
		return errors.New("the hard limit is what is learned, and cannot be given as well")
	case cfg.Silence < 0 || cfg.PerPeer < 0 || cfg.Queue < 0 || cfg.QueueBytes < 0 || cfg.ShedAge < 0 || cfg.Timeout < 0 || cfg.Service < 0 || cfg.MessageCost < 0:
		return errors.New("a limit is below 0")
	case cfg.Failures > callsSeen:
		return errors.New("more failures than requests that are looked at")
	case cfg.Mode > Speculative:
		return errors.New("there is no such mode")
	case cfg.Mode == Hedge && cfg.Copies.Cancel == OnStart:
		return errors.New("a backup is for what was begun: the first start cannot cancel the others")
	}
	return cfg.Copies.check()
}

// maxGuests is how many requests of others a core keeps at most, offers among
// them.
const maxGuests = 4096

// Core decides for one node, as the owner of its clients' requests and as a
// peer of the other owners: see the package's documentation. Each method that
// takes effects appends to them.
type Core struct {
	cfg      Config
	governor governor
	peers    peers
	service  time.Duration // S
	measured bool
	trip     time.Duration // R
	brief    brief
	spread   spread
	leaving  drainRate
	limit    *limit // cfg.Places follows it; nil: they are fixed
	sick     bool
	probed   time.Duration // when a request last was one
	calls    callHistory
	budget   Budget
	hedger   hedger
	down     bool
	draining bool
	raised   bool // see SetOverflow

	running int // places in use
	held    int // places kept for claims
	loose   int // claims without a place
	queue   ranks
	bound   ranks // of queue: nobody else is left to serve them
	shadows ranks // placeholders
	timers  ageHeap
	lastID  uint64
	own     map[uint64]*Request
	guests  map[guestName]*Request
	ended   memory
	spare   []*Request // guests to be used again
	count   Counts
}

// NewCore makes a core with nothing in it. cfg must pass Check.
func NewCore(cfg Config) *Core {
	setDefault(&cfg.Hard, cfg.Places)
	setDefault(&cfg.Silence, 50*time.Millisecond)
	setDefault(&cfg.PerPeer, maxGuests)
	setDefault(&cfg.Queue, 1024)
	setDefault(&cfg.Failures, callsSeen/2)
	setDefault(&cfg.QueueBytes, 64<<20)
	setDefault(&cfg.ShedAge, 500*time.Millisecond)
	setDefault(&cfg.Timeout, 5*time.Second)
	setDefault(&cfg.Service, 20*time.Millisecond)
	setDefault(&cfg.MessageCost, 10*time.Microsecond)
	cfg.Copies = cfg.Copies.usual(cfg.Mode)
	c := &Core{
		cfg: cfg, budget: cfg.Budget, hedger: newHedger(cfg.Copies), service: cfg.Service, trip: time.Millisecond,
		governor: governor{cost: cfg.MessageCost, pulls: true, rose: never},
		peers:    peers{places: cfg.Places, most: cfg.PerPeer},
		queue:    newRanks(waits), bound: newRanks(lasts), shadows: newRanks(offers), timers: ageHeap{by: dues},
		own: make(map[uint64]*Request), guests: make(map[guestName]*Request),
	}
	c.calls.most = cfg.Failures
	if cfg.MaxPlaces > 0 {
		c.limit = newLimit(cfg.Places, cfg.MaxPlaces)
	}
	return c
}

func setDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// Arrive decides about a request of a client that has just come.
func (c *Core) Arrive(now time.Duration, r *Request, out []Effect) []Effect {
	if r.Number == 0 {
		c.lastID++
		r.Number = c.lastID
	}
	asked, tried, copies := r.asked[:0], r.tried[:0], r.copies[:0]
	*r = Request{Number: r.Number, Movable: r.Movable, Repeatable: r.Repeatable, Large: r.Large, Light: r.Light, Class: r.Class.known(), Bytes: max(r.Bytes, 0),
		Timeout: r.Timeout, Data: r.Data, id: r.Number, arrived: now, key: now, asked: asked, tried: tried, copies: copies}
	setDefault(&r.Timeout, c.cfg.Timeout)
	r.deadline = now + r.Timeout
	c.budget.Earn(now)
	c.hedger.budget.Earn(now)
	idle := !c.down && c.vacant() > 0 && c.queue.len() == 0
	slow := r.Movable && c.reluctant() && len(c.peers.known) > 0 && !c.probes(now, r)
	switch {
	case idle && !slow && c.brief.hopeless(r.Timeout, false):
		return c.giveUp(r, out)
	case idle && !slow, !r.Movable && c.spareRoom():
		c.own[r.id] = r
		out = c.start(now, r, out)
		if c.cfg.Copies.Cancel != OnStart {
			out = c.race(now, r, out)
		}
		return out
	case c.sheds(now, r.Class, r.Bytes, r.Timeout):
		return c.shed(now, r, out)
	case c.down && !r.Movable:
		c.count.Failed++
		return append(out, Effect{Do: DoFail, Request: r})
	}
	if slow {
		r.notBefore = now + c.patience()
	}
	c.own[r.id] = r
	out = c.displace(now, r, out)
	return c.dispatch(now, c.wait(now, r, out))
}

// wait queues an own request and looks for a peer.
func (c *Core) wait(now time.Duration, r *Request, out []Effect) []Effect {
	r.phase = queued
	c.queue.add(r)
	c.lookAgain(now, r, r.deadline)
	if c.alone(r) {
		c.bind(r)
	}
	return c.overflow(now, r, out)
}

// vacant is how many places are neither used nor kept.
func (c *Core) vacant() int { return c.cfg.Places - c.running - c.held }

// dispatch gives the places that are vacant to the oldest of the most urgent: to
// a request that is here, or to a claim of one that was offered.
func (c *Core) dispatch(now time.Duration, out []Effect) []Effect {
	for !c.down && c.vacant() > 0 {
		real, shadow := c.queue.first(), c.shadows.first()
		if c.draining || c.raised || c.sick || c.vacant() <= c.loose {
			shadow = nil
		}
		switch {
		case shadow != nil && (real == nil || shadow.before(real)) && shadow.deadline-now < c.service:
			out = c.drop(shadow, out)
		case shadow != nil && (real == nil || shadow.before(real)):
			out = c.seize(now, shadow, out)
		case real == nil || real.notBefore > now:
			out = c.dispatchBound(now, out)
			if c.queue.first() == real { // who may not start yet was not one of those
				return out
			}
		default:
			out = c.begin(now, real, out)
		}
	}
	return c.dispatchBound(now, out)
}

// begin starts r, which is in the queue, unless that is in vain.
func (c *Core) begin(now time.Duration, r *Request, out []Effect) []Effect {
	c.unqueue(r)
	c.leaving.note(now)
	if len(r.copies) == 0 && c.cfg.ShedAge != Endless && c.brief.hopeless(r.deadline-now, c.queue.len() > 0) {
		return c.giveUp(r, out)
	}
	return c.start(now, r, out)
}

// start gives r, which is in no heap but the timers, a place.
func (c *Core) start(now time.Duration, r *Request, out []Effect) []Effect {
	c.timers.remove(r)
	c.running++
	c.count.Begun++
	r.phase, r.beside = running, c.running
	if r.owner != 0 {
		c.count.Guests++
		c.ended.add(r.name())
		c.peers.unkeep(r)
		out = c.send(r.owner, Message{Kind: Started, ID: r.id, Epoch: r.epoch, Tied: r.tied, Data: r.Data}, out)
	} else {
		c.begun(now, r, 0)
		c.plan(now, r)
		out = c.cancelOffers(r, 0, out)
		if r.tied {
			out = c.cancelCopies(r, 0, out)
		}
	}
	return append(out, Effect{Do: DoStart, Request: r})
}

// Result is how it went at the web server.
type Result uint8

const (
	// Served: there was an answer.
	Served Result = iota
	// Unreached: the request did not get there; it was not begun.
	Unreached
	// Broken: it was begun and there is no answer.
	Broken
	// Aborted: nobody needed it any more, which says nothing of the server.
	Aborted
	// Faulty: there was an answer, and it says that the server cannot serve, or
	// there was none in time.
	Faulty
)

// Finish takes back the place of a request that ran here, took after its
// start. An own request that has no answer may move on: then it is among the
// effects. A guest's owner is told by the driver, or by Refuse when it was not
// begun.
func (c *Core) Finish(now time.Duration, r *Request, took time.Duration, res Result, out []Effect) []Effect {
	c.running--
	if res == Served {
		c.learn(took)
	}
	c.learnPlaces(now, r, took, res)
	if res != Aborted {
		c.calls.note(res == Served)
		c.sick = c.calls.sick()
	}
	if res == Served && c.Awaits(r, 0, r.epoch) {
		out = c.answered(now, r, 0, out)
	}
	r.phase = absent
	switch {
	case r.owner != 0:
		if res == Unreached {
			out = c.send(r.owner, Message{Kind: Refuse, ID: r.id, Epoch: r.epoch, Data: r.Data}, out)
		}
		r.Data = nil
		out = c.drop(r, out)
	case r.over || res == Served || res == Aborted || res == Faulty:
		out = c.release(r, out)
	case len(r.copies) > 0:
		r.phase = moved
		c.plan(now, r)
	default:
		out = c.again(now, r, 0, res == Broken, out)
	}
	return c.dispatch(now, out)
}

// Leave says that the client of an own request is gone, wherever the request
// is. One that runs here keeps its place until Finish.
func (c *Core) Leave(now time.Duration, r *Request, out []Effect) []Effect {
	if c.own[r.id] != r {
		return out
	}
	return c.dispatch(now, c.release(r, out))
}

// release lets go of an own request, but for its place if it runs here.
func (c *Core) release(r *Request, out []Effect) []Effect {
	c.unqueue(r)
	c.timers.remove(r)
	out = c.cancelOffers(r, 0, out)
	out = c.cancelCopies(r, 0, out)
	if r.over = true; r.phase != running {
		r.phase = absent
		delete(c.own, r.id)
	}
	return out
}

// SetUp says whether the web server can be reached.
func (c *Core) SetUp(now time.Duration, up bool, out []Effect) []Effect {
	c.down = !up
	if c.down {
		for _, r := range c.inOrder() {
			switch {
			case r.owner != 0 || r.phase != queued:
			case !r.Movable:
				out = c.fail(now, r, out)
			default: // peers are its only chance now
				c.lookAgain(now, r, now)
			}
		}
	}
	return c.dispatch(now, out)
}

// Drain says that nothing more is taken from peers. What waits for a grant is
// still served.
func (c *Core) Drain() { c.draining = true }

// SetRoundTrip says how long a message to a peer and its answer take.
func (c *Core) SetRoundTrip(r time.Duration) { c.trip = max(r, time.Microsecond) }

// Report is what this node says of itself.
func (c *Core) Report() Report {
	places := c.cfg.Places
	if c.down || c.draining || c.raised || c.sick {
		places = 0
	}
	return Report{Load: float64(c.running+c.held+c.queue.len()) / float64(c.cfg.Places), Places: places, Service: c.service}
}

// send appends a message to one peer.
func (c *Core) send(to Peer, m Message, out []Effect) []Effect {
	m.Report = c.Report()
	if m.Kind != Grant && m.Kind != Push {
		c.count.Control++
		c.governor.count++
	}
	return append(out, Effect{Do: DoSend, To: to, Message: m})
}

func (c *Core) fail(now time.Duration, r *Request, out []Effect) []Effect {
	c.count.Failed++
	out = c.release(r, out)
	return append(out, Effect{Do: DoFail, Request: r})
}
