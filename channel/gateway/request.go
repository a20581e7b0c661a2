package gateway

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"kecho/channel"
)

// MaxRequests is how many requests wait at most until a flow begins to ask.
const MaxRequests = 64

// takeRequest takes a request, for which this node is waited for: who asks is told
// at once whether answers come of the other cluster.
func (f *flow) takeRequest(e *channel.Event, goes bool) {
	if !goes {
		f.from.Decline(e)
		return
	}
	f.from.Await(e)
	select {
	case f.requests <- e.Clone():
	default:
		f.count.overrun.Add(1)
		f.from.Done(e.ID, 0)
	}
}

// forwardRequests asks, each request on a goroutine of its own, until ctx is done.
func (f *flow) forwardRequests(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case e := <-f.requests:
			wg.Go(func() { f.ask(ctx, e) })
		case <-ctx.Done():
			return
		}
	}
}

// ask has a request answered there and gives the answers back here.
func (f *flow) ask(ctx context.Context, e *channel.Event) {
	answers := 0
	onward := *e
	onward.Path = f.onward(e)
	var left time.Duration // zero: as long as any
	if !e.Deadline.IsZero() {
		left = cmp.Or(max(0, time.Until(e.Deadline)), time.Nanosecond)
	}
	f.tally(e, f.to.ForwardRequest(ctx, &onward, channel.Gather{Timeout: left, Each: func(answer *channel.Event) {
		answer.Path = append(slices.Clone(answer.Path), f.there)
		if f.from.Return(ctx, answer) == nil {
			f.count.answers.Add(1)
			answers++
		}
	}}))
	f.from.Done(e.ID, answers)
}
