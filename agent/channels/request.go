package channels

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kecho/agent/cloudevents"
	"kecho/channel"
)

// Request is a question to whoever has a channel open.
type Request struct {
	Event cloudevents.Event
	// Replies is how many answers are enough. Zero, and at most: channel.MaxAnswers.
	Replies int
	// Gap ends it when after an answer no other has come for so long. Zero: it
	// does not.
	Gap time.Duration
	// Timeout ends it in any case. Zero: channel.GatherTimeout.
	Timeout time.Duration
	// Each is given the answers as they come, on the goroutine of Ask. Required.
	Each func(cloudevents.Event)
}

// Asked is how a request went.
type Asked struct {
	// Sinks is how many nodes were asked, and waited for: this one when
	// somebody follows the channel here.
	Sinks int
	// End says why no more answers were waited for: "all", "count", "gap" or
	// "timeout".
	End string
}

// Ask publishes a request and gathers the answers, which are events with its
// ID as their kechore. That nobody is there is no error. It enters the table as
// a reader does: the errors are those of Enter, of Publish, and of who ends it.
func (t *Table) Ask(ctx context.Context, c *Channel, r Request) (Asked, error) {
	_, readers, _ := c.shelf.state()
	ctx, leave, err := t.enter(ctx)
	if err != nil {
		return Asked{}, err
	}
	defer leave()
	e, err := toChannel(r.Event)
	if err != nil {
		return Asked{}, err
	}
	if !c.take(1) {
		return Asked{}, ErrFast
	}
	answers, err := c.channel.Request(ctx, e, channel.Gather{
		Count: r.Replies, Gap: r.Gap, Timeout: r.Timeout, Others: readers == 0,
		Each: func(e *channel.Event) { r.Each(fromChannel(e)) },
	})
	switch {
	case errors.Is(err, channel.ErrNoSink):
		return Asked{End: channel.ByAll.String()}, nil
	case errors.Is(err, channel.ErrTooLarge):
		err = fmt.Errorf("%w: %w", ErrLarge, err)
	case errors.Is(err, channel.ErrQueueFull):
		err = fmt.Errorf("%w: %w", ErrFull, err)
	}
	return Asked{Sinks: answers.Asked, End: answers.End.String()}, err
}
