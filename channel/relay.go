package channel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// doneType is the control event by which a node says that it gives no more
// answers to a request.
const doneType Type = "done"

// done is its body.
type done struct {
	Channel string
	Request ID
	Answers uint64 // that it has given: some may still be on their way
}

// awaitsType is the control event by which a node says that a gateway on it brings
// answers of another cluster to a request, until it says that it is done.
const awaitsType Type = "awaits"

// awaits is its body.
type awaits struct {
	Channel string
	Request ID
	Alone   bool // nobody else on the node answers
}

// maxAskers is how many requests from other clusters a channel remembers, to know
// where answers to them go.
const maxAskers = 4096

// askers is by which peers requests came that were submitted in other clusters.
type askers struct {
	mu    sync.Mutex
	by    map[ID]NodeID // guarded by mu
	order []ID          // as they came; guarded by mu
}

func (a *askers) add(request ID, by NodeID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.by == nil {
		a.by = make(map[ID]NodeID)
	}
	if len(a.order) == maxAskers {
		delete(a.by, a.order[0])
		a.order = a.order[1:]
	}
	a.by[request] = by
	a.order = append(a.order, request)
}

// of is the node to which answers go: that by which the request came, or that
// which made it.
func (a *askers) of(request ID) NodeID {
	a.mu.Lock()
	defer a.mu.Unlock()
	if by, ok := a.by[request]; ok {
		return by
	}
	return request.Source
}

// takeRequest notes by whom a request came, and reports whether anybody here wants
// it; else who asks is told not to wait.
func (c *Channel) takeRequest(p *peer, e *Event) bool {
	if len(e.Path) > 0 {
		c.askers.add(e.ID, p.id)
	}
	if c.subs.any(e.Type, e.ID.Source) {
		return true
	}
	c.Done(e.ID, 0)
	return false
}

// giveRequest gives a request to the subscriptions of these sinks: to those of
// gateways first, so that who asks knows of what they bring before he has any other
// answer of this node.
func giveRequest(e *Event, sinks []Sink) {
	e.alone = !slices.ContainsFunc(sinks, func(s Sink) bool { return s.sub != nil && !s.sub.bridges() })
	for _, bridges := range []bool{true, false} {
		for i := range sinks {
			if sub := sinks[i].sub; sub != nil && sub.bridges() == bridges { // nil: of a filter's own making
				sub.deliver(e)
			}
		}
	}
}

// giveOwnRequest gives it to the subscriptions of the node that submits it.
func (c *Channel) giveOwnRequest(s *scratch) {
	sinks := s.sinks[:0]
	c.subs.each(s.event.Type, s.event.ID.Source, func(sub *Subscription) { sinks = append(sinks, Sink{sub: sub}) })
	giveRequest(&s.event, sinks)
	s.sinks = sinks
}

// ForwardRequest is Forward for a request: it gathers the answers of this cluster,
// as Request does, and gives them to g.Each, which is required.
func (c *Channel) ForwardRequest(ctx context.Context, e *Event, g Gather) error {
	fail := func(err error) error { return fmt.Errorf("forward a request on channel %q: %w", c.name, err) }
	if err := errors.Join(checkPath(e), g.complete()); err != nil {
		return fail(err)
	}
	switch {
	case !e.Asks():
		return fail(errNotAsked)
	case g.Each == nil:
		return fail(errors.New("there is no Each to get the answers"))
	case c.returns(e):
		return ErrReturned
	}
	q := newGathering(e.ID, g)
	if err := c.requests.add(q); err != nil {
		return fail(err)
	}
	defer c.requests.remove(q)
	had := !c.seen.first(e.ID, e.Priority, c.node.id, c.node.elapsed())
	if err := c.post(ctx, e, posting{asked: q, forwarded: true, had: had}); err != nil {
		return err
	}
	switch q.wait(ctx, g) {
	case byContext:
		return fail(context.Cause(ctx))
	case byClose:
		return fail(ErrClosed)
	}
	return nil
}

// Return gives an answer that came from another cluster to who has asked in this
// one, or to the gateway by which the request came. As in Forward its Path must name
// the clusters that it has passed.
func (c *Channel) Return(ctx context.Context, answer *Event) error {
	if err := checkPath(answer); err != nil {
		return fmt.Errorf("return an answer on channel %q: %w", c.name, err)
	}
	if !answer.Re.asks() {
		return fmt.Errorf("return an answer on channel %q: %w", c.name, errNotAsked)
	}
	return c.post(ctx, answer, posting{to: c.askers.of(answer.Re), forwarded: true})
}

// Await is for a gateway that was given a request, before its handler returns: it
// brings answers of another cluster, and they are waited for until Done, apart from
// those of applications on this node. The request may be this node's own, and be
// made to wait for others only.
func (c *Channel) Await(request *Event) {
	if g := c.requests.get(request.ID); g != nil {
		g.await(c.node.id, request.alone)
		return
	}
	if to := c.askers.of(request.ID); to != c.node.id {
		c.node.sendControl(to, awaitsType, awaits{c.name, request.ID, request.alone})
	}
}

// Decline is for a gateway that was given a request and brings no answers.
func (c *Channel) Decline(request *Event) {
	if request.alone {
		c.Done(request.ID, 0)
	}
}

// Done says to who made the request, or to the gateway by which it came, that the
// gateway that called Await has brought so many answers and brings no more; or, where
// none has, that this node gives no more than so many. Nobody waits for more.
func (c *Channel) Done(request ID, answers int) {
	if g := c.requests.get(request); g != nil {
		g.finish(c.node.id, uint64(answers))
		return
	}
	if to := c.askers.of(request); to != c.node.id {
		c.node.sendControl(to, doneType, done{c.name, request, uint64(answers)})
	}
}

// awaitedBy takes that a gateway on a peer brings answers.
func (n *Node) awaitedBy(p *peer, e *Event) error {
	var a awaits
	if err := Unpack(e.Body, &a); err != nil {
		return fmt.Errorf("wait for a gateway's answers: %w", err)
	}
	if c := (*n.channels.Load())[a.Channel]; c != nil {
		if g := c.requests.get(a.Request); g != nil {
			g.await(p.id, a.Alone)
		}
	}
	return nil
}

// doneBy takes that a peer gives no more answers.
func (n *Node) doneBy(p *peer, e *Event) error {
	var d done
	if err := Unpack(e.Body, &d); err != nil {
		return fmt.Errorf("end of answers: %w", err)
	}
	if c := (*n.channels.Load())[d.Channel]; c != nil {
		if g := c.requests.get(d.Request); g != nil {
			g.finish(p.id, d.Answers)
		}
	}
	return nil
}
