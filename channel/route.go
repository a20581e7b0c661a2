package channel

import (
	"context"
	"errors"
	"fmt"
)

// ErrReturned: Forward was given an event that was submitted in this cluster.
var ErrReturned = errors.New("it was submitted in this cluster")

// Forward submits an event that came from another cluster, for a gateway. It
// keeps its ID, From, and deadline; e.Path must name the clusters that it has
// passed, the last one included. It goes to the nodes of this cluster that have
// said that they want it, this one included, and of those to whom the OUT-filter
// leaves. A node that is of an older version is sent nothing.
//
// Each node takes an event once, by whatever ways it comes. It is sent on all the
// same: of two ways each brings all events in their order, and so what a node takes
// of both is in order. The error is as Submit's, or ErrReturned. e is not kept.
func (c *Channel) Forward(ctx context.Context, e *Event) error {
	if err := checkPath(e); err != nil {
		return fmt.Errorf("forward on channel %q: %w", c.name, err)
	}
	if c.returns(e) {
		return ErrReturned
	}
	return c.post(ctx, e, posting{forwarded: true, had: !c.seen.first(e.ID, e.Priority, c.node.id, c.node.elapsed())})
}

func checkPath(e *Event) error {
	if e.ID.Source == 0 {
		return errors.New("the event has no id: it must come from another cluster")
	}
	if len(e.Path) == 0 || len(e.Path) > MaxPath {
		return fmt.Errorf("a path of %d clusters: want 1 to %d", len(e.Path), MaxPath)
	}
	for _, cluster := range e.Path {
		if cluster == "" || len(cluster) > MaxName {
			return fmt.Errorf("cluster %.80q in the path: want 1 to %d bytes", cluster, MaxName)
		}
	}
	return nil
}

// admit reports whether an event that came from another cluster is new here. It
// is asked once for each.
func (c *Channel) admit(p *peer, e *Event) bool {
	if c.returns(e) {
		return false
	}
	if !c.seen.first(e.ID, e.Priority, p.id, c.node.elapsed()) {
		c.count.repeated.Add(1)
		return false
	}
	return true
}

// returns reports whether an event that came from another cluster is of this one.
func (c *Channel) returns(e *Event) bool {
	if e.ID.Source == c.node.id || c.node.peers.Load().Get(e.ID.Source) != nil {
		c.count.returned.Add(1)
		return true
	}
	return false
}
