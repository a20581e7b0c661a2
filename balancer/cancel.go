package balancer

import (
	"context"
	"errors"
	"time"

	"kecho/channel"
)

// cancelPatience is how long a cancel waits at most for room on a link.
const cancelPatience = time.Second

// cancel tells everybody who may still work on the call that nobody waits.
func (b *Balancer) cancel(c *call) {
	b.sayCancel(c, append(b.calls.end(c), b.calls.dropped(c)...))
	c.in.fail(errCanceled)
	c.out.fail(errCanceled)
}

// sayCancel sends each of nodes a cancel of its own: one link may be full when
// another is not. It is normal, so that it does not overtake its request. Where
// that queue of the link is full it goes as bulk, beside the caller: a peer that
// is not told may hold a place for as long as its web server says nothing.
func (b *Balancer) sayCancel(c *call, nodes []channel.NodeID) {
	for _, node := range nodes {
		b.count.cancels.Add(1)
		e := channel.Event{ID: b.data.NextID(), Type: typeCancel, Priority: channel.Normal, Re: c.id}
		b.calls.address(e.ID, []channel.NodeID{node})
		_, err := b.data.Submit(context.Background(), e) // it does not wait
		if errors.Is(err, channel.ErrQueueFull) {
			c.cancelling.Go(func() { b.cancelLater(e) })
			continue
		}
		b.cancelled(e.ID, err)
	}
}

// cancelLater sends a cancel when the link has room.
func (b *Balancer) cancelLater(e channel.Event) {
	ctx, cancel := context.WithTimeout(b.base, cancelPatience)
	defer cancel()
	e.Priority = channel.Bulk
	_, err := b.data.Submit(ctx, e)
	b.cancelled(e.ID, err)
}

// cancelled notes what became of the cancel id.
func (b *Balancer) cancelled(id channel.ID, err error) {
	b.calls.unaddress(id)
	if err != nil {
		b.count.unsent.Add(1)
	}
}
