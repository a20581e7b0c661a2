package agent

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"kecho/agent/api"
	"kecho/agent/channels"
	"kecho/agent/filtering"
	"kecho/agent/gauges"
	"kecho/agent/metrics"
	"kecho/agent/news"
	"kecho/agent/orca"
	"kecho/balancer"
	"kecho/balancer/clients"
	"kecho/channel"
	"kecho/channel/link"
	"kecho/channel/registry"
	"kecho/resmgr/monitor/host"
)

// The channels that every agent opens.
const (
	DataChannel       = "data"       // requests and answers: balancer/spec.md
	MonitoringChannel = "monitoring" // load reports
)

// Agent is one node: a web server's front and a member of the cluster. It is
// made by New and lives while Run does.
type Agent struct {
	cfg     Config
	id      channel.NodeID
	log     *slog.Logger
	tls     *tls.Config
	metrics *metrics.Collector
	started time.Time
	state   atomic.Pointer[api.State]
	report  report
	outward outward

	// Made by New.
	channels    *channels.Table
	farTLS      *tls.Config // of the gateway's other side; nil: plaintext
	filters     *filtering.Table
	gauges      *gauges.Table
	load        *appLoad
	news        *news.Log
	certificate *balancer.Certificate // of this front; nil: plaintext
	clients     *clients.Table
	next        http.Handler                 // of Middleware; nil: not embedded
	embedded    atomic.Pointer[http.Handler] // the front while Run serves by it

	triggers *host.Triggers // nil: the host feed or the network is not this machine
	stalled  chan struct{}  // capacity 1: read the load now

	// Made by Run before any layer starts.
	node     *channel.Node
	links    *link.Pool
	registry *registry.Registry
	balancer *balancer.Balancer
	data     *channel.Channel
	monitor  *channel.Channel
	socket   sockets
	leases   leasing
	far      farSide
}

// sockets are what an agent listens on. Gossip is the registry's own.
type sockets struct {
	admin, link       net.Listener
	http, unix, check net.Listener // nil: none
	far               net.Listener // of the links in a gateway's other cluster; nil: none
}

func (s *sockets) close() {
	for _, l := range []net.Listener{s.http, s.admin, s.link, s.unix, s.check, s.far} {
		if l != nil {
			l.Close()
		}
	}
}

// New checks cfg, reads the files that it names, and starts nothing.
func New(cfg Config) (*Agent, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	a := &Agent{cfg: cfg.withDefaults(), stalled: make(chan struct{}, 1)}
	a.log = a.cfg.Logger
	var err error
	if a.tls, err = a.cfg.loadTLS(); err != nil {
		return nil, err
	}
	if a.cfg.TLSCert != "" {
		if a.certificate, err = balancer.LoadCertificate(a.cfg.TLSCert, a.cfg.TLSKey, a.log); err != nil {
			return nil, fmt.Errorf("--tls-cert, --tls-key: %w", err)
		}
	}
	if err := a.makeClients(); err != nil {
		return nil, err
	}
	if a.cfg.Host == nil {
		a.cfg.Host = host.New(host.Config{Logger: a.log})
		if a.cfg.Network == (systemNetwork{}) { // else time may not be the kernel's, either
			a.triggers = host.NewTriggers(host.TriggersConfig{Logger: a.log})
		}
	}
	if far, ok := a.cfg.beyond(); ok {
		if a.farTLS, err = far.loadTLS(); err != nil {
			return nil, err
		}
	}
	a.id = channel.NewNodeID()
	a.news = news.New(news.Config{ID: a.id.String()})
	a.channels = channels.New(channels.Config{
		Own:  ownChannels(),
		Node: func() *channel.Node { return a.node }, // who asks does so when there is one
	})
	a.filters = filtering.New(filtering.Config{
		Channels: func() []*channel.Channel { return a.node.Channels() }, // who asks does so when there is a node
		Own:      a.narrowing(), Zone: a.cfg.Zone,
	})
	if err := a.makeGauges(); err != nil {
		return nil, err
	}
	a.load = &appLoad{feed: a.gauges.Feed, log: a.log, keep: a.cfg.PassLoad, bad: make(map[string]bool)}
	a.metrics = metrics.New(metrics.Config{Snapshot: a.snapshot, Version: a.cfg.Version})
	a.setState(api.Starting)
	return a, nil
}

// setState is told to who follows the news, but for the first.
func (a *Agent) setState(s api.State) {
	if was := a.state.Swap(&s); was != nil && *was != s {
		a.news.Add(api.EventState, api.StateChange{State: s, Was: *was})
	}
}

// Run serves until ctx is done. Then it drains: it is not ready any more and
// tells its peers so, finishes what is in flight (Config.DrainTimeout at
// most), leaves the cluster and returns nil; nothing of it is left then. An
// error says what it could not begin with, or what broke. It is called once.
func (a *Agent) Run(ctx context.Context) error {
	if a.cfg.Embedded && a.next == nil {
		return errNoMiddleware
	}
	defer a.embedded.Store(nil)
	a.started = time.Now()
	if err := a.open(ctx); err != nil {
		a.socket.close()
		return err
	}
	for _, warning := range a.cfg.exposed() {
		a.log.Warn(warning)
	}
	err := runLayers(ctx, []layer{
		{"admin", a.serveAdmin},
		{"links", a.node.Run},
		{"gossip", a.runGossip},
		{"peers", a.watchPeers},
		{"gateway", a.runGateway},
		{"leases", a.runLeases},
		{"gauges", a.gauges.Run},
		{"pressure", a.watchPressure},
		{"agent check", a.serveAgentCheck},
		{"load reports", a.runReports},
		{"load URL", a.pollLoad},
		{"balancer", a.balancer.Run},
		{"http", a.serveHTTP},
	}, a.drain)
	a.filters.Close() // nothing is submitted or received any more
	a.log.Info("agent stopped", "name", a.cfg.Name)
	return err
}

// open makes the parts and takes the addresses.
func (a *Agent) open(ctx context.Context) error {
	var err error
	if !a.cfg.Embedded {
		if a.socket.http, err = listen(a.cfg.Network, "--listen", a.cfg.Listen); err != nil {
			return err
		}
	}
	if a.socket.admin, err = listen(a.cfg.Network, "--admin", a.cfg.Admin); err != nil {
		return err
	}
	if a.cfg.Socket != "" {
		if a.socket.unix, err = openSocket(a.cfg.Network, a.cfg.Socket); err != nil {
			return err
		}
	}
	if a.cfg.AgentCheck != "" {
		if a.socket.check, err = listen(a.cfg.Network, "--agent-check", a.cfg.AgentCheck); err != nil {
			return err
		}
	}
	if a.socket.link, a.links, err = a.cfg.openLinks(a.id, a.tls, a.tellLink); err != nil {
		return err
	}
	if a.registry, err = a.cfg.newRegistry(a.id, a.socket.link.Addr()); err != nil {
		return err
	}
	a.node, err = channel.New(channel.Config{ID: a.id, Links: a.links, Registry: a.registry, Logger: a.log})
	if err != nil {
		return err
	}
	if a.data, err = a.node.Open(DataChannel); err != nil {
		return err
	}
	if a.monitor, err = a.node.Open(MonitoringChannel); err != nil {
		return err
	}
	if err := a.makeBalancer(); err != nil {
		return err
	}
	if err := a.makeGateway(); err != nil {
		return err
	}
	if err := a.openChannels(); err != nil {
		return err
	}
	if err := a.setThresholds(); err != nil {
		return err
	}
	return a.makeLeases(ctx)
}

func (a *Agent) makeBalancer() (err error) {
	a.balancer, err = balancer.New(balancer.Config{
		Name: a.cfg.Name, Upstream: a.cfg.Upstream, Handler: a.next, Data: a.data,
		Dial: a.cfg.Network.Dial, Health: a.cfg.Health, KeepAlive: a.cfg.KeepAlive,
		Policy: a.cfg.core(), Zone: a.cfg.Zone,
		RTT:   a.links.RTT,
		Trust: a.cfg.Trust, Timeout: a.cfg.Timeout, Logger: a.log,
		DeadlineHeader: a.cfg.DeadlineHeader, IgnorePriority: a.cfg.IgnorePriority,
		Load: a.load.hear, LoadHeader: orca.Header, Announce: a.announcer(),
		Observe: func(route balancer.Route, status int, took time.Duration) {
			a.metrics.Observe(metrics.Route(route), status, took)
		},
	})
	if err != nil {
		return err
	}
	a.node.DescribeFunc(a.describe)
	if _, err := a.monitor.SubscribeInline(channel.Match{Type: loadReport}, a.hearReport); err != nil {
		return err
	}
	return a.describeStanding()
}

func (a *Agent) runGossip(ctx context.Context) error {
	return a.cfg.gossipFailure(a.registry.Run(ctx))
}

// watchPeers tells the links who there is to be linked with, and the news who
// came and went.
func (a *Agent) watchPeers(ctx context.Context) error {
	known := make(map[channel.NodeID]registry.Peer)
	return a.registry.WatchPeers(ctx, func(peers []registry.Peer) {
		a.links.SetPeers(a.cfg.linkable(peers))
		known = a.tellMembers(known, peers)
	})
}

// announceStart says that the agent is up and where.
func (a *Agent) announceStart() {
	a.setState(api.Ready)
	at := a.addresses()
	a.log.Info("agent started",
		"name", a.cfg.Name, "id", a.node.ID(), "http", at.HTTP, "admin", at.Admin, "socket", a.cfg.Socket, "gossip", at.Gossip, "link", at.Link,
		"upstream", a.upstreamName(), "soft_limit", a.cfg.SoftLimit, "soft_limit_max", a.cfg.SoftLimitMax, "hard_limit", a.cfg.HardLimit, "queue", a.cfg.Queue,
		"join", a.cfg.Join)
	if a.cfg.Started != nil {
		a.cfg.Started(at)
	}
}

func (a *Agent) addresses() Addresses {
	at := Addresses{
		Admin: a.socket.admin.Addr().String(), Gossip: a.registry.Addr(), Link: a.socket.link.Addr().String(),
	}
	if a.socket.http != nil {
		at.HTTP = a.socket.http.Addr().String()
	}
	if a.socket.check != nil {
		at.AgentCheck = a.socket.check.Addr().String()
	}
	return at
}

// drain is the first step of the end. Where a part has failed there is nothing
// to wait for.
func (a *Agent) drain(cause error) {
	a.setState(api.Draining)
	a.log.Info("agent is draining", "name", a.cfg.Name)
	a.balancer.Drain()
	a.leases.manager.Leave()
	a.submitReport(context.Background()) // peers are told now, not at the next tick
	if cause == nil {
		time.Sleep(a.cfg.DrainDelay)
	}
}
