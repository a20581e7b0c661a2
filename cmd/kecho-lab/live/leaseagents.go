package live

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"

	"kecho/agent/api"
)

// leaseAgents is a cluster of agents that give leases.
type leaseAgents struct {
	*agents
	size     int
	managers int          // the first of them
	web      *http.Server // behind all agents: it is asked for its health only
	at       net.Listener
}

var _ leaser = (*leaseAgents)(nil)

// leased is what the agents give, and how much each lease has of it.
const leased, leasedEach = "slot=1000000", "slot=1"

func newLeaseAgents(cfg LeaseConfig, nodes int, failed func(error)) *leaseAgents {
	a := &agents{kecho: cfg.Kecho, failed: failed}
	managers := cfg.managers(nodes)
	a.flags = func(i int) []string {
		if i >= managers {
			return []string{"--resource", "none", "--ephemeral"}
		}
		return []string{"--resource", "none," + leased, "--state-dir", filepath.Join(cfg.Dir, "kecho-"+nodeName(i))}
	}
	return &leaseAgents{agents: a, size: nodes, managers: managers, web: &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}}
}

// start starts all agents, and waits until each has a link to every other.
func (l *leaseAgents) start(ctx context.Context) (err error) {
	if l.at, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	go l.web.Serve(l.at) // until stop
	l.before(slices.Repeat([]string{l.at.Addr().String()}, l.size))
	return l.agents.start(ctx)
}

func (l *leaseAgents) stop() {
	l.agents.stop()
	l.web.Close()
}

func (l *leaseAgents) processes() (all []*process) {
	for _, n := range l.nodes {
		n.mu.Lock()
		if n.process != nil {
			all = append(all, n.process)
		}
		n.mu.Unlock()
	}
	return all
}

func (l *leaseAgents) restart(ctx context.Context) error {
	if err := l.kill(0); err != nil {
		return err
	}
	return l.launch(ctx, 0)
}

// taker asks an agent that has nothing itself, if there are such.
func (l *leaseAgents) taker(i int) taker {
	return agentDesk{newDesk(l.nodes[(l.managers+i)%len(l.nodes)].at.Admin)}
}

// agentDesk is a client's way to an agent.
type agentDesk struct{ *desk }

func (d agentDesk) take(ctx context.Context, holder string) (string, error) {
	var got api.LeaseGrant
	// What an agent that has just started cannot give it gives when it knows
	// that nobody has it.
	asked := api.LeaseRequest{Holder: holder, Needs: leasedEach, TTL: leaseTTL.String(), Wait: startPatience.String()}
	if err := d.ask(ctx, http.MethodPost, "/v1/leases", asked, &got); err != nil {
		return "", err
	}
	if len(got.Leases) != 1 {
		return "", errors.New("an agent granted a request and gave no lease")
	}
	return got.Leases[0].ID, nil
}

func (d agentDesk) release(ctx context.Context, lease, holder string) error {
	return d.ask(ctx, http.MethodDelete, leasePath(lease)+"?holder="+url.QueryEscape(holder), nil, nil)
}

func (d agentDesk) lives(ctx context.Context, lease string) error {
	return d.ask(ctx, http.MethodGet, leasePath(lease), nil, nil)
}

func leasePath(lease string) string { return "/v1/leases/" + url.PathEscape(lease) }
