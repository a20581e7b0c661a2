package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"kecho/agent"
	"kecho/agent/api"
)

// startTimeout bounds the start of one agent, and the meeting of all.
const startTimeout = 10 * time.Second

// arrangement is the servers and agents of one phase while they run.
type arrangement struct {
	nodes []*node
	// ctx ends when the arrangement is stopped, or when a part of it fails,
	// with that as its cause.
	ctx  context.Context
	fail context.CancelCauseFunc

	agents, webs sync.WaitGroup
	listeners    []net.Listener
}

// node is one web server and its agent.
type node struct {
	name      string
	slow      bool
	web       *Web
	addresses agent.Addresses // set when the agent has started
}

var errStopped = errors.New("stopped")

// arrange starts everything and waits until it is ready; when joined, until
// every agent has a link to every other. On an error nothing is left running.
func (c *Cluster) arrange(ctx context.Context, joined bool) (*arrangement, error) {
	a := &arrangement{}
	a.ctx, a.fail = context.WithCancelCause(ctx)
	var seeds []string
	for i := range c.cfg.Nodes {
		n := &node{name: "web" + strconv.Itoa(i+1), slow: i > 0 && i <= c.cfg.Slow}
		a.nodes = append(a.nodes, n)
		if err := c.start(a, n, seeds); err != nil {
			a.fail(err)
			return nil, a.stop()
		}
		if joined && i == 0 {
			seeds = []string{n.addresses.Gossip}
		}
	}
	if joined {
		if err := a.awaitLinks(c.cfg.dial); err != nil {
			a.fail(err)
			return nil, a.stop()
		}
	}
	return a, nil
}

// free is any free port of the loopback.
const free = "127.0.0.1:0"

// start runs n's web server, then its agent, and waits until it listens.
func (c *Cluster) start(a *arrangement, n *node, seeds []string) error {
	work := c.cfg.Work
	if n.slow {
		work *= SlowFactor
	}
	n.web = NewWeb(WebConfig{Name: n.name, Workers: c.cfg.Workers, Work: work})
	listener, err := c.cfg.listen(free)
	if err != nil {
		return fmt.Errorf("start web server %s: %w", n.name, err)
	}
	a.serve(listener, n.web)

	started := make(chan agent.Addresses, 1)
	runner, err := agent.New(agent.Config{
		Name: n.name, Cluster: "demo",
		Upstream: "http://" + listener.Addr().String(),
		Listen:   free, Admin: free, Bind: free, Link: free, Join: seeds,
		// What the server really does at once: an agent that lets more in
		// leaves the queue where no peer can take from it.
		SoftLimit:    c.cfg.Workers,
		DrainTimeout: 2 * time.Second,
		Version:      "demo",
		Logger:       c.cfg.Logger.With("node", n.name),
		Network:      c.cfg.Network,
		Started:      func(at agent.Addresses) { started <- at },
	})
	if err != nil {
		return fmt.Errorf("agent %s: %w", n.name, err)
	}
	a.agents.Go(func() {
		if err := runner.Run(a.ctx); err != nil {
			a.fail(fmt.Errorf("agent %s: %w", n.name, err))
		}
	})
	select {
	case n.addresses = <-started:
		return nil
	case <-a.ctx.Done():
		return context.Cause(a.ctx)
	case <-time.After(startTimeout):
		return fmt.Errorf("agent %s does not listen after %v", n.name, startTimeout)
	}
}

func (a *arrangement) serve(listener net.Listener, web *Web) {
	a.listeners = append(a.listeners, listener)
	a.webs.Go(func() {
		server := &http.Server{Handler: web, ReadHeaderTimeout: startTimeout}
		defer server.Close()
		if err := server.Serve(listener); !errors.Is(err, net.ErrClosed) {
			a.fail(err)
		}
	})
}

// awaitLinks waits until every agent is ready and linked to every other.
func (a *arrangement) awaitLinks(dial api.Dial) error {
	ctx, cancel := context.WithTimeout(a.ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for _, n := range a.nodes {
		client, err := api.NewOver(dial, n.addresses.Admin)
		if err != nil {
			return err
		}
		for !linked(ctx, client, len(a.nodes)-1) {
			select {
			case <-tick.C:
			case <-ctx.Done():
				if a.ctx.Err() != nil {
					return context.Cause(a.ctx)
				}
				return fmt.Errorf("agent %s has not met all others after %v", n.name, startTimeout)
			}
		}
	}
	return nil
}

func linked(ctx context.Context, client *api.Client, peers int) bool {
	members, err := client.Members(ctx)
	if err != nil {
		return false
	}
	up := 0
	for _, m := range members {
		if m.Link != nil && m.Link.Up {
			up++
		}
	}
	return up >= peers
}

// stop ends the agents, which leave, and then the web servers, and waits for
// all. It returns what failed before, if anything did.
func (a *arrangement) stop() error {
	a.fail(errStopped)
	a.agents.Wait()
	for _, l := range a.listeners {
		l.Close()
	}
	a.webs.Wait()
	if cause := context.Cause(a.ctx); cause != errStopped {
		return cause
	}
	return nil
}
