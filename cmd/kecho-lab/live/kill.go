package live

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// blow is one thing that is done to a node, at a share of the run's length.
type blow struct {
	at   float64
	node int
	host bool // its host too
	dead bool // after it
}

// blows is what --kill does: the second node dies with its host and comes back,
// then the third (or again the second) with its agent alone.
func blows(nodes int) []blow {
	third := min(2, nodes-1)
	return []blow{
		{at: .25, node: 1, host: true, dead: true}, {at: .40, node: 1, host: true},
		{at: .60, node: third, dead: true}, {at: .75, node: third},
	}
}

// kills does all of it.
func (r *run) kills(ctx context.Context) error {
	a, ok := r.front.(*agents)
	if !ok {
		return fmt.Errorf("only agents are killed, not %T", r.front)
	}
	began := time.Now()
	for _, b := range blows(r.cfg.Nodes) {
		timer := time.NewTimer(time.Until(began.Add(time.Duration(b.at * float64(r.cfg.Length)))))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		if err := r.strike(ctx, a, b); err != nil {
			return err
		}
		r.cfg.Note(b.String())
	}
	return nil
}

// String is what is done, for people.
func (b blow) String() string {
	what := "agent of " + nodeName(b.node)
	if b.host {
		what += " and its web server"
	}
	if b.dead {
		return "killed: " + what
	}
	return "started again: " + what
}

// strike does one of them, and returns when it is done.
func (r *run) strike(ctx context.Context, a *agents, b blow) error {
	host := func(command string) error {
		if !b.host {
			return nil
		}
		return r.control(ctx, http.MethodPost, fmt.Sprintf("/%s/%d", command, b.node), nil)
	}
	if b.dead {
		if err := a.kill(b.node); err != nil {
			return err
		}
		return host("down")
	}
	if err := host("up"); err != nil {
		return err
	}
	return a.revive(ctx, b.node)
}
