package choice

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"kecho/balancer/policy"
	"kecho/channel"
	"kecho/filters"
)

// stage is a core whose places are taken, the peers that it has met, and a
// request that waits there.
type stage struct {
	core    *policy.Core
	now     time.Duration
	sinks   []channel.Sink
	request policy.Request
	effect  policy.Effect // what it wants submitted
}

// service is the mean of every peer, unless a test says otherwise.
const service = 40 * time.Millisecond

func newStage(mode policy.Mode, peers int) *stage {
	s := &stage{core: policy.NewCore(policy.Config{Places: 1, Mode: mode, Service: service, MessageCost: time.Nanosecond}),
		request: policy.Request{Movable: true}}
	for i := range peers {
		s.meet(channel.NodeID(i+2), 0, service)
	}
	s.core.Arrive(0, new(policy.Request), nil)
	out := s.core.Arrive(0, &s.request, nil)
	if len(out) == 1 && out[0].Do == policy.DoSubmit {
		s.effect = out[0]
	}
	return s
}

// meet has the core hear of a peer, idle, at a time.
func (s *stage) meet(n channel.NodeID, at, takes time.Duration, attrs ...channel.Attr) {
	s.core.Hear(at, policy.Peer(n), policy.Report{Places: 1, Service: takes})
	s.sinks = append(s.sinks, channel.Sink{Node: n, Attrs: append(attrs, filters.Load.Of(0), filters.Capacity.Of(1))})
}

// shares is how often each sink is picked.
func (s *stage) shares(cfg Config) map[channel.NodeID]float64 {
	const rounds = 20_000
	cfg.Core, cfg.Rand = s.core, rand.New(rand.NewPCG(1, 2)).Float64
	chooser, event := New(cfg), new(channel.Event)
	shares := map[channel.NodeID]float64{}
	for range rounds {
		for _, k := range chooser.Pick(s.now, s.effect, event, slices.Clone(s.sinks)) {
			shares[k.Node] += 1. / rounds
		}
	}
	return shares
}

func mustShare(t *testing.T, got map[channel.NodeID]float64, n channel.NodeID, want float64) {
	t.Helper()
	if math.Abs(got[n]-want) > .02 {
		t.Errorf("peer %d is picked in %.3f of all, want %.3f", n, got[n], want)
	}
}

// TestStanding: an offer to one and a push, to peers that are alike but for
// what their operators say of them and when they came.
func TestStanding(t *testing.T) {
	for _, mode := range []policy.Mode{policy.Pull, policy.Pushes} {
		t.Run(mode.String(), func(t *testing.T) {
			s := newStage(mode, 1)
			s.meet(3, 0, service, filters.Weight.Of(.5))
			s.meet(4, 0, service, filters.Weight.Of(0))
			s.meet(5, 19*time.Second, service)
			s.now, s.effect.Most = 20*time.Second, 1
			got := s.shares(Config{})
			if mode == policy.Pull {
				mustShare(t, got, 2, 1/1.6)
				mustShare(t, got, 3, .5/1.6)
				mustShare(t, got, 5, .1/1.6)
			} else { // each is there as often as it weighs; of those that are, any
				mustShare(t, got, 2, .5*.9+.5*.9/2+.5*.1/2+.5*.1/3)
				mustShare(t, got, 3, .5*.9/2+.5*.1/3)
				mustShare(t, got, 5, .5*.1/2+.5*.1/3)
			}
			mustShare(t, got, 4, 0)
		})
	}
}

// TestWeightBounds: however fast a peer says that it is, and whatever its
// operator says, it is 10 times an average one at most.
func TestWeightBounds(t *testing.T) {
	s := newStage(policy.Pull, 9)
	s.meet(20, 0, 1, filters.Weight.Of(math.MaxFloat64))
	s.now, s.effect.Most = 20*time.Second, 1
	mustShare(t, s.shares(Config{}), 20, 10./19)
}

// TestItself: the node itself is no peer.
func TestItself(t *testing.T) {
	s := newStage(policy.Pull, 3)
	s.sinks = append(s.sinks, channel.Sink{Node: 9, Local: true})
	mustShare(t, s.shares(Config{}), 9, 0)
}

// TestNearFirst: an offer stays in its zone while as many there promise a free
// place as requests wait here; else it goes far as well, but near before far.
func TestNearFirst(t *testing.T) {
	near := func(load float64) *stage {
		s := newStage(policy.Pull, 0)
		for n := range channel.NodeID(6) {
			zone, l := "a", load
			if n >= 3 {
				zone, l = "b", 0
			}
			s.meet(10+n, 0, service, filters.Zone.Of(zone))
			s.core.Hear(0, policy.Peer(10+n), policy.Report{Load: l, Places: 1, Service: service})
		}
		s.core.Arrive(0, &policy.Request{Movable: true}, nil)
		s.effect = policy.Effect{Do: policy.DoSubmit, Request: &s.request, Choose: policy.Random, Most: 2}
		return s
	}
	for name, c := range map[string]struct {
		load  float64
		queue int // more requests that wait
		far   float64
	}{
		"near ones are free":  {0, 0, 0},
		"more wait than free": {0, 4, .436},
		"near ones are full":  {3, 0, .436},
	} {
		t.Run(name, func(t *testing.T) {
			s := near(c.load)
			for range c.queue {
				s.core.Arrive(0, &policy.Request{Movable: true}, nil)
			}
			got := s.shares(Config{Zone: "a"})
			if far := got[13] + got[14] + got[15]; math.Abs(far-c.far) > .03 {
				t.Errorf("%.3f far ones are asked in the mean, want %.3f", far, c.far)
			}
		})
	}
}
