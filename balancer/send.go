package balancer

import (
	"context"
	"errors"

	"kecho/channel"
)

// submit sends a small event about a call or an exchange. A link that does not
// take it is full or gone; then the other side learns by its deadline, or by
// the link.
func (b *Balancer) submit(re channel.ID, typ channel.Type, body []byte) {
	e := channel.Event{Type: typ, Priority: channel.Urgent, Re: re, Body: body}
	if _, err := b.data.Submit(context.Background(), e); err != nil { // it does not wait
		b.count.unsent.Add(1)
	}
}

// give sends an urgent event that the other side waits for without end: where
// the urgent queue of the link is full it takes its turn with the bulk. It
// blocks then, until ctx is done.
func (b *Balancer) give(ctx context.Context, e channel.Event) error {
	e.Priority = channel.Urgent
	_, err := b.data.Submit(ctx, e)
	if errors.Is(err, channel.ErrQueueFull) {
		e.Priority = channel.Bulk
		_, err = b.data.Submit(ctx, e)
	}
	if err != nil {
		b.count.unsent.Add(1)
	}
	return err
}
