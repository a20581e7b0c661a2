package live

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"kecho/agent/api"
)

// agents is an agent of the kecho command before each host.
type agents struct {
	kecho  string
	flags  func(i int) []string // of node i, besides its name and where it listens
	alone  bool                 // they do not know of each other
	failed func(error)
	nodes  []*node
}

var _ front = (*agents)(nil)

// node is one host's agent, in its present life.
type node struct {
	name, web string
	at        addresses   // since its first start
	up        atomic.Bool // clients ask it

	mu      sync.Mutex
	process *process // guarded by mu
	past    usage    // guarded by mu: of lives that are over
}

// addresses are where an agent listens, as it logs them when it has started.
type addresses struct {
	Msg    string `json:"msg"`
	HTTP   string `json:"http"`
	Admin  string `json:"admin"`
	Gossip string `json:"gossip"`
	Link   string `json:"link"`
}

// newAgents is the agents of a run.
func newAgents(cfg Config, webs []string, failed func(error)) *agents {
	a := &agents{kecho: cfg.Kecho, alone: cfg.Policy == Alone, failed: failed}
	a.flags = func(int) []string {
		flags := []string{"--soft-limit", strconv.Itoa(cfg.Scenario.Places), "--timeout", cfg.Timeout.String()}
		if a.alone {
			// Shedding would flatter who has nobody to help.
			return append(flags, "--queue-age", cfg.Timeout.String(), "--queue", "100000")
		}
		return append(flags, "--policy", cfg.Policy)
	}
	a.before(webs)
	return a
}

// before has a node before each web server.
func (a *agents) before(webs []string) {
	const free = "127.0.0.1:0"
	for i, web := range webs {
		a.nodes = append(a.nodes, &node{name: nodeName(i), web: web, at: addresses{HTTP: free, Admin: free, Gossip: free, Link: free}})
	}
}

// start starts all agents, and waits until each has a link to every other.
func (a *agents) start(ctx context.Context) error {
	for i := range a.nodes {
		if err := a.launch(ctx, i); err != nil {
			return err
		}
	}
	for i := range a.nodes {
		if err := a.join(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// launch starts the agent of node i, where it was before, and waits until it
// listens.
func (a *agents) launch(ctx context.Context, i int) error {
	n := a.nodes[i]
	p, err := begin("agent "+n.name, a.command(i), nil, a.failed)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.process = p
	n.mu.Unlock()
	return p.await(ctx, func(line string) bool {
		var at addresses
		if json.Unmarshal([]byte(line), &at) != nil || at.Msg != "agent started" {
			return false
		}
		n.at = at
		return true
	})
}

func (a *agents) command(i int) []string {
	n := a.nodes[i]
	argv := []string{
		a.kecho, "agent", "--name", n.name, "--cluster", "bench", "--upstream", "http://" + n.web,
		"--listen", n.at.HTTP, "--admin", n.at.Admin, "--bind", n.at.Gossip, "--link", n.at.Link,
		"--log-format", "json",
	}
	argv = append(argv, a.flags(i)...)
	for j, other := range a.nodes {
		if !a.alone && j != i && other.at.Msg != "" { // has been started
			argv = append(argv, "--join", other.at.Gossip)
		}
	}
	return argv
}

// join waits until clients may ask node i.
func (a *agents) join(ctx context.Context, i int) error {
	n := a.nodes[i]
	client, err := api.New(n.at.Admin)
	if err != nil {
		return err
	}
	if err := poll(ctx, func() error { return a.joined(ctx, client, n) }); err != nil {
		return err
	}
	n.up.Store(true)
	return nil
}

func (a *agents) joined(ctx context.Context, client *api.Client, n *node) error {
	if ready, err := client.Ready(ctx); err != nil || !ready.Ready {
		return fmt.Errorf("agent %s is not ready: %+v, %v", n.name, ready, err)
	}
	if a.alone {
		return nil
	}
	members, err := client.Members(ctx)
	if err != nil {
		return err
	}
	up := 0
	for _, m := range members {
		if m.Link != nil && m.Link.Up {
			up++
		}
	}
	if up < len(a.nodes)-1 {
		return fmt.Errorf("agent %s has links to %d of %d others", n.name, up, len(a.nodes)-1)
	}
	return nil
}

// target is the agent of a node; while it is down its clients ask the next.
func (a *agents) target(i int) string {
	for k := range a.nodes {
		if n := a.nodes[(i+k)%len(a.nodes)]; n.up.Load() {
			return n.at.HTTP
		}
	}
	return a.nodes[i].at.HTTP
}

// kill ends the agent of node i as kill -9 does. Clients turn to others just
// before: what is lost is what it had.
func (a *agents) kill(i int) error {
	n := a.nodes[i]
	u, err := n.spent()
	n.up.Store(false)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.process.kill()
	n.past, n.process = u, nil
	return err
}

// revive starts the agent of node i again.
func (a *agents) revive(ctx context.Context, i int) error {
	if err := a.launch(ctx, i); err != nil {
		return err
	}
	return a.join(ctx, i)
}

func (a *agents) spent() (sum usage, err error) {
	for _, n := range a.nodes {
		u, err := n.spent()
		if err != nil {
			return usage{}, err
		}
		sum = sum.plus(u)
	}
	return sum, nil
}

// spent is of all lives of the node.
func (n *node) spent() (usage, error) {
	n.mu.Lock()
	p, past := n.process, n.past
	n.mu.Unlock()
	if p == nil {
		return past, nil
	}
	m, err := scrape("http://" + n.at.Admin + "/metrics")
	if err != nil {
		return usage{}, fmt.Errorf("agent %s: %w", n.name, err)
	}
	return past.plus(usage{cpu: p.cpu(), messages: m.messages()}), nil
}

func (a *agents) stop() {
	var all sync.WaitGroup
	for _, n := range a.nodes {
		n.mu.Lock()
		p := n.process
		n.mu.Unlock()
		if p != nil {
			all.Go(p.kill)
		}
	}
	all.Wait()
}
