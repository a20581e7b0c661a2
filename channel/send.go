package channel

import (
	"context"
	"errors"
	"sync"
)

// send gives the event to each of s.nodes, and then to this node if it is to
// have it: its handlers may submit what answers the event, and nobody should see
// that first.
func (c *Channel) send(ctx context.Context, s *scratch, local bool) error {
	e := &s.event
	if e.Priority == Bulk && !e.Deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, e.Deadline)
		defer cancel()
	}
	taken, errs := c.sendAll(ctx, s)
	if taken > 0 {
		c.count.sent.Add(uint64(taken))
		c.count.bytesOut.Add(uint64(taken * len(s.frame)))
	}
	if local {
		taken++
		if s.to != 0 {
			c.answered(e, c.node.id)
			return nil
		}
		if s.asked != nil {
			c.giveOwnRequest(s)
		} else {
			c.subs.each(e.Type, e.ID.Source, func(sub *Subscription) { sub.deliver(e) })
		}
	}
	if taken > 0 {
		return nil
	}
	return errors.Join(errs...)
}

// sendAll gives the event to the links, and is how many took it. Where bulk has
// to wait for some, the others have it before that.
func (c *Channel) sendAll(ctx context.Context, s *scratch) (taken int, errs []error) {
	e := &s.event
	how := Handling{Priority: e.Priority, Share: c.share, Due: e.Deadline}
	how.Try = e.Priority == Bulk && len(s.nodes) > 1
	fail := func(node NodeID, err error) {
		c.count.unsent.Add(1)
		errs = append(errs, err)
		if s.asked != nil {
			s.asked.unsent(node)
		}
	}
	full := s.nodes[:0]
	for _, node := range s.nodes {
		err := c.node.links.Send(ctx, node, how, s.frame)
		switch {
		case err == nil:
			taken++
		case how.Try && errors.Is(err, ErrQueueFull):
			full = append(full, node)
		default:
			fail(node, err)
		}
	}
	how.Try = false
	for i, err := range c.await(ctx, full, how, s.frame) {
		if err != nil {
			fail(full[i], err)
			continue
		}
		taken++
	}
	return taken, errs
}

// await sends to nodes whose links have no room, and is their errors. It waits
// for all at once: one that is stuck keeps none from another that is only slow.
func (c *Channel) await(ctx context.Context, nodes []NodeID, how Handling, frame []byte) []error {
	if len(nodes) == 0 {
		return nil
	}
	errs := make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, node := range nodes[1:] {
		wg.Go(func() { errs[1+i] = c.node.links.Send(ctx, node, how, frame) })
	}
	errs[0] = c.node.links.Send(ctx, nodes[0], how, frame)
	wg.Wait()
	return errs
}
