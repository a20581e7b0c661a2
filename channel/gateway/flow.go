package gateway

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kecho/channel"
)

// BulkWait is how long a bulk event waits for room in the links at most: one
// node that reads slowly holds up the others of its cluster.
const BulkWait = time.Second

// settle is how long a flow's interests are left alone after a change.
const settle = 20 * time.Millisecond

// flow is one share in one direction.
type flow struct {
	cfg      *Config
	from, to *channel.Channel
	here     string   // the cluster that it comes from
	there    string   // the one that it goes to
	path     []string // of what was submitted here, once it is there
	types    []channel.Type
	bulk     queue
	requests chan *channel.Event // to be asked there
	count    counters

	table atomic.Pointer[table] // nil: nothing is wanted

	brings *channel.Bringer // to the second cluster

	// owned by keepUp
	brought []channel.Interest
	wanted  []channel.Interest
	sub     *channel.Subscription // by wanted; nil: nothing is
}

// counters is what FlowStats shows.
type counters struct {
	forwarded, unwanted, returned, looped, far atomic.Uint64
	answers, late, overrun, unsent, left       atomic.Uint64
}

func newFlow(cfg *Config, share Share, from, to int) *flow {
	return &flow{
		cfg: cfg, from: share.Channels[from], to: share.Channels[to], types: share.Types,
		here: cfg.Clusters[from], there: cfg.Clusters[to], path: []string{cfg.Clusters[from]},
		requests: make(chan *channel.Event, MaxRequests),
		bulk:     queue{news: make(chan struct{}, 1)}, brings: share.Channels[to].Bring(),
	}
}

func (f *flow) run(ctx context.Context) {
	// Without it the node, having no subscription here, would want everything.
	none, err := f.from.SubscribeInline(channel.Match{}, func(*channel.Event) {})
	if err != nil {
		f.cfg.Logger.Error("the gateway forwards nothing: its channel is closed", "channel", f.from.Name(), "cluster", f.here, "err", err)
		return
	}
	none.Suspend()
	defer none.Close()
	var wg sync.WaitGroup
	wg.Go(func() { f.forwardBulk(ctx) })
	wg.Go(func() { f.forwardRequests(ctx) })
	f.keepUp(ctx)
	wg.Wait()
	f.brings.Set(nil)
	if f.sub != nil {
		f.sub.Close()
	}
}

// keepUp keeps what is wanted here as it is wanted there.
func (f *flow) keepUp(ctx context.Context) {
	changed := make(chan struct{}, 1)
	tell := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	defer f.to.WatchInterests(tell)()
	defer f.from.WatchInterests(tell)()
	for {
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
		f.update()
		select {
		case <-time.After(settle):
		case <-ctx.Done():
			return
		}
	}
}

// update takes in what has changed on either side.
func (f *flow) update() {
	from, to := f.from.Interests(), f.to.Interests()
	wanted := disjunction(wants(to), f.there, f.here, f.cfg.Hops, f.types)
	if !slices.EqualFunc(wanted, f.wanted, sameInterest) {
		f.want(wanted)
	}
	sources, alone := brings(from), true
	for range f.from.Sinks() {
		sources, alone = append(sources, channel.Interest{Terms: []channel.Match{{}}}), false
		break
	}
	brought := disjunction(sources, f.here, f.there, f.cfg.Hops, f.types)
	if !slices.EqualFunc(brought, f.brought, sameInterest) {
		f.brought = brought
		f.brings.Set(brought)
	}
	f.table.Store(&table{wanted: f.wanted, gateways: siblings(from, f.there), brings: brings(to), alone: alone})
}

// want has this node want that here. The new subscription begins before the old
// one ends: what both get is forwarded once.
func (f *flow) want(wanted []channel.Interest) {
	old := f.sub
	f.sub, f.wanted = nil, wanted
	if len(wanted) > 0 {
		sub, err := f.from.SubscribeWith(channel.SubscriptionConfig{Interests: wanted, Handler: f.take, Inline: true})
		if err != nil {
			f.cfg.Logger.Warn("the gateway does not forward what is wanted", "channel", f.from.Name(), "cluster", f.here, "err", err)
			f.wanted = nil
		}
		f.sub = sub
	}
	if old != nil {
		old.Close()
	}
}

// take gets each event of the first cluster that somebody in the second wants.
func (f *flow) take(e *channel.Event) {
	goes := f.goes(e)
	switch {
	case e.Asks():
		f.takeRequest(e, goes)
	case !goes:
	case e.Priority == channel.Bulk:
		if !f.bulk.put(e) {
			f.count.overrun.Add(1)
		}
	default:
		f.forward(context.Background(), e)
	}
}

// goes reports whether it is for this gateway to forward e.
func (f *flow) goes(e *channel.Event) bool {
	n, t := len(e.Path), f.table.Load()
	switch {
	case n > 0 && e.Path[n-1] == f.there: // it has just been brought from there
	case slices.Contains(e.Path, f.there):
		f.count.looped.Add(1)
	case n+1 > f.cfg.Hops:
		f.count.far.Add(1)
	case !t.way(f.here, e) || !t.mine(f.from.Node(), e):
		f.count.left.Add(1)
	default:
		return true
	}
	return false
}

// onward is the path of e once it is there.
func (f *flow) onward(e *channel.Event) []string {
	if len(e.Path) == 0 {
		return f.path
	}
	return append(slices.Clone(e.Path), f.here)
}

// forward gives e to the other cluster.
func (f *flow) forward(ctx context.Context, e *channel.Event) {
	onward := *e
	onward.Path = f.onward(e)
	f.tally(e, f.to.Forward(ctx, &onward))
}

// tally counts what became of e.
func (f *flow) tally(e *channel.Event, err error) {
	switch {
	case err == nil:
		f.count.forwarded.Add(1)
	case errors.Is(err, channel.ErrReturned):
		f.count.returned.Add(1)
	case errors.Is(err, channel.ErrNoSink):
		f.count.unwanted.Add(1)
	case errors.Is(err, context.DeadlineExceeded) && !e.Deadline.IsZero() && !time.Now().Before(e.Deadline):
		f.count.late.Add(1)
	default:
		f.count.unsent.Add(1)
	}
}

// forwardBulk forwards what waits.
func (f *flow) forwardBulk(ctx context.Context) {
	for {
		e, ok := f.bulk.take()
		if !ok {
			select {
			case <-f.bulk.news:
				continue
			case <-ctx.Done():
				return
			}
		}
		if ctx.Err() != nil {
			return
		}
		bounded, cancel := context.WithTimeout(ctx, BulkWait)
		f.forward(bounded, e)
		cancel()
	}
}

func (f *flow) stats() FlowStats {
	n := &f.count
	s := FlowStats{
		Channel: f.from.Name(), From: f.here, To: f.there,
		Forwarded: n.forwarded.Load(), Unwanted: n.unwanted.Load(), Returned: n.returned.Load(), Looped: n.looped.Load(),
		Far: n.far.Load(), Answers: n.answers.Load(), Late: n.late.Load(), Overrun: n.overrun.Load(), Unsent: n.unsent.Load(),
		Left: n.left.Load(),
	}
	if t := f.table.Load(); t != nil {
		s.Wanted = t.wanted
	}
	s.Queued, s.QueuedBytes = f.bulk.size()
	return s
}
