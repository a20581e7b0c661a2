package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"kecho/agent/api"
	"kecho/agent/channels"
	"kecho/agent/filtering"
	"kecho/agent/gauges"
	"kecho/agent/metrics"
	"kecho/agent/news"
	"kecho/balancer"
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
	filters     *filtering.Table
	gauges      *gauges.Table
	load        *appLoad
	news        *news.Log
	certificate *balancer.Certificate // for clients; nil: plaintext

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
}

// sockets are what an agent listens on. Gossip is the registry's own.
type sockets struct {
	http, admin, link net.Listener
	unix, check       net.Listener // nil: none
}

func (s *sockets) close() {
	for _, l := range []net.Listener{s.http, s.admin, s.link, s.unix, s.check} {
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
	if a.cfg.Cert != "" {
		conf, err := link.LoadTLS(a.cfg.CA, a.cfg.Cert, a.cfg.CertKey)
		if err != nil {
			return nil, fmt.Errorf("--ca, --cert, --cert-key: %w", err)
		}
		if err := link.CheckTLS(conf, a.cfg.Name); err != nil {
			return nil, fmt.Errorf("--cert: %w", err)
		}
		a.tls = conf
	}
	if a.cfg.TLSCert != "" {
		var err error
		if a.certificate, err = balancer.LoadCertificate(a.cfg.TLSCert, a.cfg.TLSKey, a.log); err != nil {
			return nil, fmt.Errorf("--tls-cert, --tls-key: %w", err)
		}
	}
	if a.cfg.Host == nil {
		a.cfg.Host = host.New(host.Config{Logger: a.log})
		if a.cfg.Network == (systemNetwork{}) { // else time may not be the kernel's, either
			a.triggers = host.NewTriggers(host.TriggersConfig{Logger: a.log})
		}
	}
	a.id = channel.NewNodeID()
	a.news = news.New(news.Config{ID: a.id.String()})
	a.channels = channels.New(channels.Config{
		Own:  []string{DataChannel, MonitoringChannel, ResourceChannel},
		Node: func() *channel.Node { return a.node }, // who asks does so when there is one
	})
	a.filters = filtering.New(filtering.Config{
		Channels: func() []*channel.Channel { return a.node.Channels() }, // who asks does so when there is a node
		Own:      []string{DataChannel, MonitoringChannel, ResourceChannel}, Zone: a.cfg.Zone,
	})
	if err := a.makeGauges(); err != nil {
		return nil, err
	}
	a.load = &appLoad{feed: a.gauges.Feed, log: a.log, keep: a.cfg.PassLoad, bad: make(map[string]bool)}
	a.metrics = metrics.New(metrics.Config{Snapshot: a.snapshot, Version: a.cfg.Version})
	a.setState(api.Starting)
	return a, nil
}

func (a *Agent) setState(s api.State) { a.state.Store(&s) }

// Run serves until ctx is done. Then it drains: it is not ready any more and
// tells its peers so, finishes what is in flight (Config.DrainTimeout at
// most), leaves the cluster and returns nil; nothing of it is left then. An
// error says what it could not begin with, or what broke. It is called once.
func (a *Agent) Run(ctx context.Context) error {
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
		{"leases", a.runLeases},
		{"gauges", a.gauges.Run},
		{"pressure", a.watchPressure},
		{"agent check", a.serveAgentCheck},
		{"load reports", a.runReports},
		{"load URL", a.pollLoad},
		{"balancer", a.balancer.Run},
		{"http", a.serveHTTP},
	}, a.drain)
	a.log.Info("agent stopped", "name", a.cfg.Name)
	return err
}

// open makes the parts and takes the addresses.
func (a *Agent) open(ctx context.Context) error {
	var err error
	if a.socket.http, err = listen(a.cfg.Network, "--listen", a.cfg.Listen); err != nil {
		return err
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
	dial, err := a.openTransport()
	if err != nil {
		return err
	}
	if err := a.makeRegistry(a.id); err != nil {
		return err
	}
	a.links, err = link.New(link.Config{
		ID: a.id, Name: a.cfg.Name, Cluster: a.cfg.Cluster, Listener: a.socket.link, TLS: a.tls, Logger: a.log,
		Dial: sameTransport(a.cfg.Transport, dial),
	})
	if err != nil {
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
	if err := a.setThresholds(); err != nil {
		return err
	}
	return a.makeLeases(ctx)
}

// makeRegistry gives the registry the addresses that others reach.
func (a *Agent) makeRegistry(id channel.NodeID) error {
	_, port, err := net.SplitHostPort(a.socket.link.Addr().String())
	if err != nil {
		return err
	}
	linkHost, _, _ := net.SplitHostPort(a.cfg.Link) // Validate has split it
	if a.cfg.Advertise != "" {
		linkHost = a.cfg.Advertise
	}
	cfg := registry.Config{
		Name: a.cfg.Name, ID: id, Cluster: a.cfg.Cluster,
		Bind: a.cfg.Bind, LinkAddr: net.JoinHostPort(linkHost, port),
		Seeds: a.cfg.Join, Key: a.cfg.Key, Tags: a.cfg.transportTags(), Logger: a.log,
	}
	if a.cfg.Advertise != "" {
		_, bindPort, _ := net.SplitHostPort(a.cfg.Bind)
		cfg.Advertise = net.JoinHostPort(a.cfg.Advertise, bindPort)
	}
	if err := a.cfg.Network.Gossip(&cfg); err != nil {
		return err
	}
	a.registry, err = registry.New(cfg)
	return err
}

func (a *Agent) makeBalancer() (err error) {
	a.balancer, err = balancer.New(balancer.Config{
		Name: a.cfg.Name, Upstream: a.cfg.Upstream, Data: a.data,
		Dial:   a.cfg.Network.Dial,
		Policy: a.cfg.core(), Zone: a.cfg.Zone,
		RTT:   a.links.RTT,
		Trust: a.cfg.Trust, Timeout: a.cfg.Timeout, Logger: a.log,
		DeadlineHeader: a.cfg.DeadlineHeader, IgnorePriority: a.cfg.IgnorePriority,
		Load: a.load.hear,
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
	err := a.registry.Run(ctx)
	if errors.Is(err, registry.ErrNoAdvertise) {
		return fmt.Errorf("--bind %s: say with --advertise which address the others reach: %w", a.cfg.Bind, err)
	}
	return err
}

// watchPeers tells the links who there is to be linked with, and the news who
// came and went.
func (a *Agent) watchPeers(ctx context.Context) error {
	known := make(map[channel.NodeID]registry.Peer)
	return a.registry.WatchPeers(ctx, func(peers []registry.Peer) {
		var linked []link.Peer
		for _, p := range peers {
			if p.Status != registry.Left && p.LinkAddr != "" {
				linked = append(linked, link.Peer{ID: p.ID, Name: p.Name, Addr: a.linkAddr(p)})
			}
		}
		a.links.SetPeers(linked)
		known = a.tellMembers(known, peers)
	})
}

// announceStart says that the agent is up and where.
func (a *Agent) announceStart() {
	a.setState(api.Ready)
	at := a.addresses()
	a.log.Info("agent started",
		"name", a.cfg.Name, "id", a.node.ID(), "http", at.HTTP, "admin", at.Admin, "socket", a.cfg.Socket, "gossip", at.Gossip, "link", at.Link,
		"upstream", a.cfg.Upstream, "soft_limit", a.cfg.SoftLimit, "soft_limit_max", a.cfg.SoftLimitMax, "hard_limit", a.cfg.HardLimit, "queue", a.cfg.Queue,
		"join", a.cfg.Join)
	if a.cfg.Started != nil {
		a.cfg.Started(at)
	}
}

func (a *Agent) addresses() Addresses {
	at := Addresses{
		HTTP: a.socket.http.Addr().String(), Admin: a.socket.admin.Addr().String(),
		Gossip: a.registry.Addr(), Link: a.socket.link.Addr().String(),
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
