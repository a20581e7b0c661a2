package agenttest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"kecho/agent"
	"kecho/agent/api"
)

// Node is one agent and its web server.
type Node struct {
	Name string
	// At is what the agent listens on while it runs.
	At agent.Addresses

	cluster *Cluster
	index   int
	ip      string
	agent   *agent.Agent
	cancel  context.CancelFunc
	done    chan error
	web     *web
	client  *http.Client
	killed  bool   // it ends with an error: all its sockets fail
	seen    bool   // the test has seen how it ended
	rename  string // its name when it is started again
	rekey   []byte // its key when it is started again
}

// Start starts the web server and the agent; it returns when the agent
// listens, or with the error that ended it. It is called by Start for each
// node, and by a test for a node that was stopped or killed.
func (n *Node) Start() error {
	host := network{n.cluster.Net.Host(n.ip)}
	if err := n.StartWeb(); err != nil {
		return err
	}
	cfg := agent.Config{
		Name: n.Name, Upstream: "http://" + net.JoinHostPort(n.ip, "9000"), Insecure: true,
		Listen: n.ip + ":8080", Admin: n.ip + ":7940", Bind: n.ip + ":7946", Link: n.ip + ":7947",
		SoftLimit: 4, Network: host, Host: idle{}, Logger: n.cluster.cfg.Logger,
	}
	if n.index > 0 {
		cfg.Join = []string{n.cluster.Nodes[0].ip + ":7946"}
	}
	if n.cluster.cfg.Configure != nil {
		n.cluster.cfg.Configure(n.index, &cfg)
	}
	if n.rename != "" {
		cfg.Name = n.rename
	}
	if n.rekey != nil {
		cfg.Key = n.rekey
	}
	started := make(chan agent.Addresses, 1)
	cfg.Started = func(at agent.Addresses) { started <- at }
	a, err := agent.New(cfg)
	if err != nil {
		return err
	}
	if cfg.Embedded {
		if err := n.embed(a); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.agent, n.cancel, n.done, n.killed, n.seen = a, cancel, make(chan error, 1), false, false
	n.client = &http.Client{Transport: &http.Transport{DialContext: host.Dial, MaxIdleConnsPerHost: 64}, Timeout: time.Minute}
	go func() { n.done <- a.Run(ctx) }()
	select {
	case n.At = <-started:
		if cfg.Embedded {
			n.At.HTTP = n.ip + ":8080"
		}
		return nil
	case err := <-n.done:
		n.done <- err
		n.seen = true
		return fmt.Errorf("run: %w", err)
	}
}

// embed has the web server take clients in by itself, with the agent in it.
func (n *Node) embed(a *agent.Agent) error {
	if err := n.StopWeb(); err != nil {
		return err
	}
	return n.startWeb("8080", a.Middleware(n.handler()))
}

// StartWeb starts the node's web server, if it does not run.
func (n *Node) StartWeb() error {
	if n.web != nil {
		return nil
	}
	return n.startWeb("9000", n.handler())
}

func (n *Node) startWeb(port string, handler http.Handler) error {
	l, err := n.cluster.Net.Host(n.ip).Listen(n.ip + ":" + port)
	if err == nil {
		n.web = startWeb(l, handler)
	}
	return err
}

// handler is the node's web server.
func (n *Node) handler() http.Handler {
	if n.cluster.cfg.Handler != nil {
		return n.cluster.cfg.Handler(n.index)
	}
	return slowly(n.Name, n.cluster.cfg.Work)
}

// StopWeb ends the node's web server, if it runs: its port refuses
// connections.
func (n *Node) StopWeb() error {
	if n.web == nil {
		return nil
	}
	w := n.web
	n.web = nil
	return w.stop()
}

// Stop ends the node as SIGTERM would and returns what its Run did; it does
// nothing when the node does not run.
func (n *Node) Stop() error {
	if n.agent == nil {
		return nil
	}
	n.cancel()
	err := <-n.done
	n.client.CloseIdleConnections()
	if stopped := n.StopWeb(); err == nil && !n.killed {
		err = stopped
	}
	n.agent = nil
	return err
}

// Kill ends the node as SIGKILL would: its peers are told nothing.
func (n *Node) Kill() {
	n.killed = true
	n.cluster.Net.Host(n.ip).Crash()
	_ = n.Stop() // it fails, since all its sockets have
}

// Get asks the node's front for path and returns the status and the body. It
// fails the test when there is no answer.
func (n *Node) Get(t testing.TB, path string) (status int, body string) {
	t.Helper()
	res, err := n.Do(http.MethodGet, path, nil)
	if err != nil {
		t.Errorf("GET %s from %s: %v", path, n.Name, err)
		return 0, ""
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("GET %s from %s: %v", path, n.Name, err)
	}
	return res.StatusCode, string(b)
}

// Do sends a request to the node's front, over the node's own host.
func (n *Node) Do(method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequest(method, "http://"+n.At.HTTP+path, body)
	if err != nil {
		return nil, err
	}
	return n.client.Do(req)
}

// Send sends a request with these fields to the node's front and reads the
// answer away.
func (n *Node) Send(method, path string, header http.Header) error {
	req, err := http.NewRequest(method, "http://"+n.At.HTTP+path, nil)
	if err != nil {
		return err
	}
	req.Header = header
	res, err := n.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// Peers is the names of the members that the node has a link with.
func (n *Node) Peers(t testing.TB) (linked []string) {
	t.Helper()
	var list api.List[api.Member]
	n.ask(t, "/v1/members", &list)
	for _, m := range list.Items {
		if m.Link != nil && m.Link.Up {
			linked = append(linked, m.Name)
		}
	}
	return linked
}

// Describe is what the node says about itself.
func (n *Node) Describe(t testing.TB) (node api.Node) {
	t.Helper()
	n.ask(t, "/v1/node", &node)
	return node
}

// API is a client of the node's API, over the node's own host.
func (n *Node) API(t testing.TB) *api.Client {
	t.Helper()
	c, err := api.NewOver(n.cluster.Net.Host(n.ip).Dial, n.At.Admin)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (n *Node) ask(t testing.TB, path string, into any) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+n.At.Admin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	res, err := n.client.Do(req)
	if err != nil {
		t.Errorf("ask %s for %s: %v", n.Name, path, err)
		return
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		t.Errorf("ask %s for %s: %v", n.Name, path, err)
	}
}

// Rename has the node start under another name from now on.
func (n *Node) Rename(name string) { n.rename = name }

// Rekey has the node start with another gossip key from now on.
func (n *Node) Rekey(key []byte) { n.rekey = key }

// Wait waits until the agent ends by itself and returns what its Run did.
func (n *Node) Wait() error {
	err := <-n.done
	n.done <- err
	n.seen = true
	return err
}

// Ready is the node's readiness.
func (n *Node) Ready(t testing.TB) (r api.Readiness) {
	t.Helper()
	n.ask(t, "/readyz?verbose", &r)
	return r
}

// Member is what the node knows of the member of that name; zero if it knows
// none.
func (n *Node) Member(t testing.TB, name string) api.Member {
	t.Helper()
	var list api.List[api.Member]
	n.ask(t, "/v1/members", &list)
	for _, m := range list.Items {
		if m.Name == name {
			return m
		}
	}
	return api.Member{}
}
