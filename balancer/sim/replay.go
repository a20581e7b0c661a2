package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Arrival is one request that was recorded somewhere else, such as by the load
// generator before a cluster of real servers.
type Arrival struct {
	// At is when the request was due, since any moment that is the same for
	// all of a recording.
	At time.Duration
	// Node is whose client sent it, from 0. The limits do not look at it.
	Node int
	// Service is how long a web server takes for it.
	Service time.Duration
}

// Arrivals is what cfg's clients ask, in order of time: the same under every
// policy that Run is given, for real servers to be asked it too. What breaks in
// the scenario is not in it.
func Arrivals(cfg Config) ([]Arrival, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	cfg.defaults()
	var all []Arrival
	clients := newSource(cfg)
	for a, ok := clients.next(); ok; a, ok = clients.next() {
		all = append(all, Arrival{At: a.at, Node: a.node, Service: a.size})
	}
	return all, nil
}

// Recording is what a cluster was asked.
type Recording struct {
	// Arrivals in any order; they are not changed.
	Arrivals []Arrival
	// Nodes, and how many requests each runs at once.
	Nodes, Places int
	// Timeout is how long a client waits: it is then Late, and its request not
	// begun any more. Zero: for ever.
	Timeout time.Duration
	// From leaves the requests before it out of what is measured. They are
	// served all the same.
	From time.Duration
	// Seed of the limits' choice between equals.
	Seed uint64
}

// forever is the timeout of clients that wait for ever.
const forever = 365 * 24 * time.Hour

// Check says what is wrong with the recording.
func (rec *Recording) Check() error {
	switch {
	case rec.Nodes < 1 || rec.Places < 1:
		return errors.New("the recording has no node or no place")
	case rec.Timeout < 0 || rec.Timeout > forever || rec.From < 0:
		return errors.New("a time of the recording is below 0, or over a year")
	case len(rec.Arrivals) == 0:
		return errors.New("the recording has no arrival")
	}
	for i, a := range rec.Arrivals {
		if a.At < 0 || a.At > forever || a.Service <= 0 || a.Service > forever || a.Node < 0 || a.Node >= rec.Nodes {
			return fmt.Errorf("arrival %d is impossible: at %v, at node %d of %d, for %v", i, a.At, a.Node, rec.Nodes, a.Service)
		}
	}
	return nil
}

// Replay is what one of the limits, Central or JSQ, would have made of recorded
// arrivals, with perfect knowledge and at no cost. It returns the cause when ctx
// ends first.
//
// Goodput is the requests measured that were answered in time, as a share of
// what the places can do from Recording.From to the last arrival.
func Replay(ctx context.Context, limit Policy, rec Recording) (Result, error) {
	if limit != Central && limit != JSQ {
		return Result{}, fmt.Errorf("only %s and %s can be replayed, not %q", Central, JSQ, limit)
	}
	if err := rec.Check(); err != nil {
		return Result{}, err
	}
	played := newRecorded(rec.Arrivals)
	cfg := Config{
		Scenario: Scenario{Name: "replay", Places: rec.Places, Service: played.service()},
		Policy:   limit, Nodes: rec.Nodes, Seconds: played.last().Seconds(), Seed: rec.Seed,
		Timeout: cmp.Or(rec.Timeout, forever),
	}
	w := &world{cfg: cfg, clients: played, warm: rec.From, until: math.MaxInt64}
	if err := w.run(ctx, newIdeal(w)); err != nil {
		return Result{}, err
	}
	return w.result(), nil
}

// recorded plays arrivals back.
type recorded struct {
	arrivals []Arrival // by time
	played   int
}

func newRecorded(arrivals []Arrival) *recorded {
	sorted := slices.Clone(arrivals)
	slices.SortStableFunc(sorted, func(a, b Arrival) int { return cmp.Compare(a.At, b.At) })
	return &recorded{arrivals: sorted}
}

func (r *recorded) next() (arrival, bool) {
	if r.played == len(r.arrivals) {
		return arrival{}, false
	}
	a := r.arrivals[r.played]
	r.played++
	return arrival{at: a.At, size: a.Service, node: a.Node}, true
}

func (r *recorded) last() time.Duration { return r.arrivals[len(r.arrivals)-1].At }

// service is the mean service time.
func (r *recorded) service() time.Duration {
	sum := 0.0
	for _, a := range r.arrivals {
		sum += float64(a.Service)
	}
	return max(time.Duration(sum/float64(len(r.arrivals))), 1)
}
