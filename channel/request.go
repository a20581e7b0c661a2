package channel

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Gather says when a Request has answers enough. It also ends when every sink
// that was asked has answered or is gone.
type Gather struct {
	// Count is how many answers are enough. Zero: MaxAnswers.
	Count int
	// Gap ends it when after an answer no other has come for so long. Zero:
	// it does not.
	Gap time.Duration
	// Timeout ends it in any case. Zero: GatherTimeout. It is also the
	// request's deadline, if that has none.
	Timeout time.Duration
	// Others has only other nodes waited for: an answer of this one counts, and
	// is not waited for.
	Others bool
	// Each, if set, is given the answers as they come, on the goroutine of
	// Request, and Answers.Events has none. They are the callee's.
	Each func(answer *Event)
}

// GatherTimeout is how long answers are waited for when nothing else is said.
const GatherTimeout = 5 * time.Second

// Limits on requests. Answers beyond MaxAnswers, or MaxQueueBytes in all, are
// dropped and counted (Stats.Overrun).
const (
	MaxRequests = 1024 // that wait for answers on one channel
	MaxAnswers  = 4096 // to one of them
)

// End says why no more answers were waited for.
type End int8

const (
	// ByAll: every sink that was asked has answered, or is gone.
	ByAll End = iota + 1
	// ByCount: there were as many as were wanted.
	ByCount
	// ByGap: after the last one nothing came for Gather.Gap.
	ByGap
	// ByTimeout: the time was up.
	ByTimeout

	byContext
	byClose
)

// String is "all", "count", "gap" or "timeout".
func (end End) String() string {
	return [...]string{"none", "all", "count", "gap", "timeout", "cancelled", "closed"}[end]
}

// Answers is what a Request has gathered.
type Answers struct {
	// Events is the answers, in the order in which they came. They are the
	// caller's.
	Events []*Event
	// Asked is how many sinks the request was given to.
	Asked int
	// End is why no more were waited for; zero together with an error.
	End End
}

var (
	errRequests = fmt.Errorf("%d requests wait for answers already: %w", MaxRequests, ErrQueueFull)
	errAsked    = errors.New("it is being asked already")
	errNotAsked = errors.New("it is not a request: only what Request has submitted can be answered")
)

// requestBit in its sequence number tells the id of a request from those of
// other events. So the node that made it knows its answers, those too that
// come when nobody waits for them any more, and gives them to no subscription.
const requestBit = 1 << 63

func (id ID) asks() bool { return id.Seq&requestBit != 0 }

// Asks reports whether e is a Request that Reply can answer.
func (e *Event) Asks() bool { return e.ID.asks() }

// Request submits e, whose id it draws, and gathers the answers that sinks
// give by Reply, several from one if they like. Who they are and how many it
// need not know; the OUT-filter picks among them as for any event. It blocks
// until g is satisfied, every sink has answered, or ctx is done, whose cause is
// then the error; the answers until then are returned in each case. No answer
// in time is no error; that nobody could be asked is: see Submit.
//
// Nobody waits for the answer of a sink that goes, withdraws its interest, has no
// subscription for e, or whose IN-filter drops it. For the answers of another
// cluster its gateway is waited for, and apart from that for who else answers on
// the gateway's node.
func (c *Channel) Request(ctx context.Context, e Event, g Gather) (Answers, error) {
	if err := g.complete(); err != nil {
		return Answers{}, fmt.Errorf("request on channel %q: %w", c.name, err)
	}
	if !e.ID.IsZero() {
		return Answers{}, fmt.Errorf("request on channel %q: the event has an id already, %v: leave it to Request", c.name, e.ID)
	}
	e.ID = c.node.nextID()
	e.ID.Seq |= requestBit
	if e.Deadline.IsZero() {
		e.Deadline = time.Now().Add(g.Timeout)
	}
	q := newGathering(e.ID, g)
	if err := c.requests.add(q); err != nil {
		return Answers{}, fmt.Errorf("request on channel %q: %w", c.name, err)
	}
	defer c.requests.remove(q)
	if err := c.post(ctx, &e, posting{asked: q}); err != nil {
		return Answers{}, err
	}
	end := q.wait(ctx, g)
	answers := q.result()
	switch end {
	case byContext:
		return answers, fmt.Errorf("request on channel %q: %w", c.name, context.Cause(ctx))
	case byClose:
		return answers, fmt.Errorf("request on channel %q: %w", c.name, ErrClosed)
	}
	answers.End = end
	return answers, nil
}

func (g *Gather) complete() error {
	if g.Count < 0 || g.Count > MaxAnswers || g.Gap < 0 || g.Timeout < 0 {
		return fmt.Errorf("gather %d answers, gap %v, timeout %v: want 0 to %d answers and no negative times", g.Count, g.Gap, g.Timeout, MaxAnswers)
	}
	if g.Timeout == 0 {
		g.Timeout = GatherTimeout
	}
	return nil
}

func (g *gathering) result() Answers {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Answers{Events: g.answers, Asked: g.asked}
}

// Reply answers a request that a handler was given: to whom it came from, and
// nobody else. The OUT-filter does not see it. Type and Deadline, where they
// are zero, are the request's. The error is as Submit's.
func (c *Channel) Reply(ctx context.Context, request *Event, answer Event) (ID, error) {
	if !request.Asks() {
		return ID{}, fmt.Errorf("reply to %v on channel %q: %w", request.ID, c.name, errNotAsked)
	}
	answer.Re = request.ID
	if answer.Type == "" {
		answer.Type = request.Type
	}
	if answer.Deadline.IsZero() {
		answer.Deadline = request.Deadline
	}
	if answer.ID.IsZero() {
		answer.ID = c.node.nextID()
	}
	return answer.ID, c.post(ctx, &answer, posting{to: c.askers.of(request.ID)})
}

// answered takes an event that answers a request of this node, from the node at
// the other end of the link.
func (c *Channel) answered(e *Event, by NodeID) {
	g := c.requests.get(e.Re)
	switch {
	case g == nil:
		c.count.unasked.Add(1)
	case !g.take(e, by):
		c.count.overrun.Add(1)
	default:
		c.count.delivered.Add(1)
	}
}
