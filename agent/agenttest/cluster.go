package agenttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"kecho/agent"
	"kecho/channel/memnet"
	"kecho/channel/registry"
	"kecho/resmgr/monitor/host"
)

// Config says what cluster Start makes.
type Config struct {
	// Nodes is how many. Zero: 3.
	Nodes int
	// Net is the network. Its zero value has no delay and no loss.
	Net memnet.Config
	// Work is how long a web server takes for a request. Zero: 38 ms, the
	// paper's.
	Work time.Duration
	// Handler, when set, is the web server of node i in place of the built-in
	// one.
	Handler func(i int) http.Handler
	// Configure, when set, may change the configuration of node i. An agent that
	// it makes Embedded, without Upstream and Listen, is part of the web server.
	Configure func(i int, cfg *agent.Config)
	// Logger gets the agents' logs. Nil: nobody.
	Logger *slog.Logger
}

// Cluster is a number of nodes on one network.
type Cluster struct {
	Net   *memnet.Net
	Nodes []*Node
	cfg   Config
}

// Start starts a cluster, each node with the first as its seed, and ends it
// with the test. It returns when all listen; WaitLinked waits until they know
// each other.
func Start(t testing.TB, cfg Config) *Cluster {
	t.Helper()
	if cfg.Nodes == 0 {
		cfg.Nodes = 3
	}
	if cfg.Work == 0 {
		cfg.Work = 38 * time.Millisecond
	}
	c := &Cluster{Net: memnet.New(cfg.Net), cfg: cfg}
	for i := range cfg.Nodes {
		n := &Node{Name: fmt.Sprintf("web%d", i+1), cluster: c, index: i, ip: fmt.Sprintf("10.0.0.%d", i+1)}
		c.Nodes = append(c.Nodes, n)
		t.Cleanup(func() {
			if err := n.Stop(); err != nil && !n.killed && !n.seen {
				t.Errorf("%s ended with %v", n.Name, err)
			}
		})
		if err := n.Start(); err != nil {
			t.Fatalf("start %s: %v", n.Name, err)
		}
	}
	return c
}

// WaitLinked waits until every running node has a link to every other.
func (c *Cluster) WaitLinked(t testing.TB) {
	t.Helper()
	WaitFor(t, "all nodes are linked with each other", func() bool {
		running := 0
		for _, n := range c.Nodes {
			if n.agent != nil {
				running++
			}
		}
		for _, n := range c.Nodes {
			if n.agent != nil && len(n.Peers(t)) != running-1 {
				return false
			}
		}
		return true
	})
}

// WaitFor waits until true, for a minute at most.
func WaitFor(t testing.TB, what string, true func() bool) {
	t.Helper()
	for range 6000 {
		if true() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("it did not come to pass within a minute that %s", what)
}

// network is one host of the cluster's as an agent sees it.
type network struct{ *memnet.Host }

func (n network) Gossip(cfg *registry.Config) error {
	transport, err := n.Transport(cfg.Bind)
	if err == nil {
		cfg.Transport = transport
	}
	return err
}

var _ agent.Network = network{}

// idle is a machine that does nothing else.
type idle struct{}

func (idle) Read(context.Context) (host.Sample, error) {
	return host.Sample{CPU: 0.1, HasCPU: true, Memory: 0.2, HasMemory: true, At: time.Now()}, nil
}

// Size is of 4 CPUs and 8 GiB.
func (idle) Size(context.Context) host.Size { return host.Size{CPUs: 4, Memory: 8 << 30} }

// web is the web server beside a node.
type web struct {
	server *http.Server
	served chan error
}

func startWeb(l net.Listener, handler http.Handler) *web {
	w := &web{server: &http.Server{Handler: handler}, served: make(chan error, 1)}
	go func() { w.served <- w.server.Serve(l) }()
	return w
}

func (w *web) stop() error {
	w.server.Close()
	if err := <-w.served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// slowly answers with name after work.
func slowly(name string, work time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(work):
			w.Header().Set("X-Served-By", name)
			io.WriteString(w, name)
		case <-r.Context().Done():
		}
	})
}
