package choice

import (
	"math/rand/v2"
	"time"

	"kecho/balancer/policy"
	"kecho/channel"
	"kecho/filters"
)

// Looked is how many sinks a Chooser needs to see at most: in a larger cluster
// that many at random do as well, and a decision must not cost more there.
const Looked = 10

// compared is how many sinks a push compares.
const compared = 8

// Config configures a Chooser. The zero values work but for Core.
type Config struct {
	// Core says which peers may be asked and what was heard of them.
	Core *policy.Core
	// Zone is this node's. Zero: it is in none, and zones play no part.
	Zone string
	// Rand is a random number in [0, 1). Nil: math/rand/v2's Float64.
	Rand func() float64
}

// Chooser picks the peers of one core's submissions. Its methods are to be
// called with the core's lock held.
type Chooser struct {
	cfg    Config
	now    time.Duration
	effect policy.Effect // that is being submitted
	random channel.Filter
	best   channel.Filter
	least  channel.Filter
}

// New makes a Chooser.
func New(cfg Config) *Chooser {
	c := &Chooser{cfg: cfg}
	if c.cfg.Rand == nil {
		c.cfg.Rand = rand.Float64
	}
	c.random, c.best, c.least = c.byChance(), c.theBest(), c.theLeast()
	return c
}

// Pick is the OUT-filter of the submission e, which is a DoSubmit, at the time
// now: it narrows sinks in place. Who is left is told
// to the core with Sent, before the lock is given back.
func (c *Chooser) Pick(now time.Duration, e policy.Effect, event *channel.Event, sinks []channel.Sink) []channel.Sink {
	c.now, c.effect = now, e
	switch e.Choose {
	case policy.Best:
		return c.best(event, sinks)
	case policy.Least:
		return c.least(event, sinks)
	}
	return c.random(event, sinks)
}

// byChance is the chain of policy.Random, and so of offers: not by load, for
// whoever has a place free first claims it.
func (c *Chooser) byChance() channel.Filter {
	return filters.Chain(filters.RemoteOnly, filters.Taking, filters.Where(c.mayAsk),
		filters.Near(filters.NearConfig{Zone: c.cfg.Zone, Enough: c.nearWillDo}),
		filters.Sample(filters.SampleConfig{NFor: c.most, Rand: c.cfg.Rand, Weight: c.weight}))
}

// theBest is the chain of policy.Best, and so of pushes: the best of a few that
// promise to have it wait less.
func (c *Chooser) theBest() channel.Filter {
	return filters.Chain(filters.RemoteOnly, filters.Taking, filters.Where(c.mayAsk),
		filters.Sample(filters.SampleConfig{N: compared, Rand: c.cfg.Rand}),
		filters.Where(c.promises),
		filters.Near(filters.NearConfig{Zone: c.cfg.Zone}),
		filters.Thin(filters.ThinConfig{Weight: c.standing, Rand: c.cfg.Rand}),
		filters.LeastLoaded(filters.LeastLoadedConfig{NFor: c.most, Rand: c.below, Sent: c.sent}))
}

// theLeast is the chain of policy.Least: the least loaded of all, as the KECho
// paper has it.
func (c *Chooser) theLeast() channel.Filter {
	return filters.Chain(filters.RemoteOnly, filters.Taking, filters.Where(c.mayAsk),
		filters.Near(filters.NearConfig{Zone: c.cfg.Zone}),
		filters.LeastLoaded(filters.LeastLoadedConfig{NFor: c.most, Rand: c.below, Sent: c.sent}))
}

func (c *Chooser) most(*channel.Event) int { return c.effect.Most }

func (c *Chooser) mayAsk(_ *channel.Event, s *channel.Sink) bool {
	return c.cfg.Core.MayAsk(c.now, c.effect.Request, policy.Peer(s.Node))
}

func (c *Chooser) promises(_ *channel.Event, s *channel.Sink) bool {
	return c.cfg.Core.Promises(c.now, policy.Peer(s.Node), c.effect.Message.MaxWait)
}

// nearWillDo reports whether an offer to the node's own zone is enough: as many
// there promise a free place as requests wait here. The first round near and the
// next far, whatever was heard, has a hot node wait: mean 2.2 x the central
// queue's, against 1.35 (docs/sim.md).
func (c *Chooser) nearWillDo(_ *channel.Event, near []channel.Sink) bool {
	free := 0
	for i := range near {
		if c.cfg.Core.Promises(c.now, policy.Peer(near[i].Node), 1) {
			free++
		}
	}
	return free > 0 && free >= c.cfg.Core.State().Queued
}

// nearer is how much more a sink of the own zone weighs where all are asked.
const nearer = 4

// weight is how often a sink is offered a request beside others: by its speed,
// as its standing is, and near before far.
func (c *Chooser) weight(s *channel.Sink) float64 {
	w := c.cfg.Core.Weight(policy.Peer(s.Node)) * filters.WeightIn(s.Attrs)
	w = min(max(w, filters.MinWeight), filters.MaxWeight) * c.cfg.Core.Ramp(c.now, policy.Peer(s.Node))
	if zone, _ := filters.Zone.In(s.Attrs); zone != "" && zone == c.cfg.Zone {
		w *= nearer
	}
	return w
}

// standing is the weight of a sink apart from its speed, which its load and
// service time show: what its operator wants, and whether it is new.
func (c *Chooser) standing(s *channel.Sink) float64 {
	return filters.WeightIn(s.Attrs) * c.cfg.Core.Ramp(c.now, policy.Peer(s.Node))
}

func (c *Chooser) sent(n channel.NodeID) int { return c.cfg.Core.InFlight(policy.Peer(n)) }

// below is a random number in [0, n).
func (c *Chooser) below(n int) int { return min(int(c.cfg.Rand()*float64(n)), n-1) }
