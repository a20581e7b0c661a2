package agent

import (
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// Config is everything that one agent is told. The names in the errors of
// Validate are those of the command's flags.
type Config struct {
	// Name is what the others call this node: 1 to 63 letters, digits, dots,
	// dashes and underscores, one node a name. Required.
	Name string
	// Cluster keeps clusters apart that meet by mistake. Zero: "kecho".
	Cluster string
	// Upstream is the web server that this agent stands before, as
	// balancer.ParseOrigin reads it. Required, unless the agent is Embedded.
	Upstream string
	// Embedded says that the web server is a handler of this program, which gives
	// it to Middleware and takes clients in itself: there is no Upstream and no
	// Listen.
	Embedded bool

	// Listen is where clients come in. Zero: 127.0.0.1:8080.
	Listen string
	// TLSCert and TLSKey are files with the certificate that clients see, and
	// its key, both in PEM form. They are read again when they change. Zero:
	// clients come in plaintext.
	TLSCert, TLSKey string
	// Admin is where the API, /metrics and the probes are. Zero: 127.0.0.1:7940.
	Admin string
	// Socket is the path of a Unix socket where the API is too, for the agent's
	// user and group (mode 0660). Zero: none.
	Socket string
	// Bind is where gossip comes in, TCP and UDP. Zero: 127.0.0.1:7946.
	Bind string
	// Link is where peers' links come in. Zero: the host of Bind and the port
	// after its own (port 0 stays 0).
	Link string
	// Transport is what the links are made of: tcp, or quic on the UDP port of
	// Link; the same on every agent. Zero: tcp.
	Transport string
	// linkBeside is that Link was not given.
	linkBeside bool
	// prefix is what the flags of this membership begin with: see beyond.
	prefix string
	// Advertise is the host that peers reach this node at, when it is not the
	// host of Bind.
	Advertise string
	// Join are host:port of members to meet; they are joined again for ever.
	Join []string

	// Key encrypts gossip: 16, 24 or 32 bytes; nil: not encrypted.
	Key []byte
	// CA, Cert and CertKey are files for mutual TLS on the links: all or none.
	CA, Cert, CertKey string
	// Insecure allows addresses other than loopback without keys.
	Insecure bool
	// Gateway has the agent join this cluster with another one. Nil: it does not.
	Gateway *GatewayConfig
	// Channels are open for applications when the agent starts: a name each,
	// perhaps with idle=DURATION and with type=TYPE for each type of events to be
	// kept, as channels.Keep has them. They can be closed, and opened again.
	Channels []string

	// Health is how it is found out that Upstream cannot serve.
	Health Health
	// Failures is how many of its last 20 requests must have no answer, or 502, 503
	// or 504, until requests go to peers first: 1 to 20. Zero: 10. -1: never.
	Failures int
	// KeepAlive is which connections to Upstream are kept between requests.
	KeepAlive KeepAlive

	// SoftLimit is how many requests the upstream serves at once before
	// others may go elsewhere. Zero: 8.
	SoftLimit int
	// LearnLimit has the soft limit be learned from how long the upstream takes
	// beside others: SoftLimit is only where it begins, and SoftLimitMax is the
	// upper bound. There is no HardLimit then. SoftLimitMax zero: 64, or
	// SoftLimit if that is more.
	LearnLimit   bool
	SoftLimitMax int
	// HardLimit is how many it is given at most, when no peer has room either.
	// Zero: SoftLimit. What is above the web server's true parallelism waits
	// in its queue, from where nothing can go elsewhere any more: 2 x costs 1.3 x
	// the p99.
	HardLimit int
	// Queue is how many requests wait here at most. Zero: 16 x HardLimit (or
	// SoftLimitMax), and at least 1,024, so that it is QueueAge that decides and this only bounds
	// the memory.
	Queue int
	// QueueBytes is how much memory they hold at most, bodies that are kept among
	// it. Zero: 64 MiB.
	QueueBytes int64
	// QueueAge is how long the oldest waiting request may have waited before
	// new ones are refused. Zero: 500 ms.
	QueueAge time.Duration
	// Policy is how requests find a server: auto, offers, push, none, paper, race,
	// hedge or speculative; docs/operate.md says what each does. Zero: auto.
	Policy string
	// ForwardAfter is how long a request waits for a local place before the
	// policy paper moves it (zero: 2.5 s), or how long one may take until hedge
	// has a second server begin it (zero: longer than 95 % take).
	ForwardAfter time.Duration
	// Copies is how many servers work on one request, of those that may be
	// repeated: peers by the policy paper (zero: 1), with this node's own among
	// them by race and hedge (zero: 2). The first answer wins. At most 3.
	Copies int
	// Cancel says what ends the copies that lose, under paper, race and hedge:
	// complete, the first answer; start, the first that is begun (not hedge);
	// none. Zero: complete.
	Cancel string
	// Weight is how often peers pick this node beside others that are like it,
	// 0.1 to 10; at 0 it takes nothing. Nil: 1.
	Weight *float64
	// Zone is where the node is: peers of the same zone are preferred. Zero: in
	// none.
	Zone string
	// Overflow are conditions, with commas between them, while one of which
	// holds requests go to peers that have room although there are places
	// here, such as "cpu > 0.85 cancel < 0.7": package monitor has the form.
	// The machine's gauges are cpu and memory (shares of the machine or the
	// container, the worse), throttled (share of the quota's periods) and load1
	// (tasks), each read about once a second; all others have a dot in their
	// names. Each condition has a cancel value. Zero: none.
	Overflow string
	// Thresholds are conditions, each perhaps with "do" and what is done when
	// it is crossed: api.ParseThreshold has the form.
	Thresholds []string
	// LoadURL is asked each LoadEvery for the application's load, as package
	// orca reads it. Zero: nothing is asked.
	LoadURL string
	// LoadEvery is how often. Zero: 1 s.
	LoadEvery time.Duration
	// PassLoad leaves the load reports in the web server's answers, for
	// clients that read them; ORCA puts this node's own there.
	PassLoad, ORCA bool
	// AgentCheck is where HAProxy's agent check is answered. Zero: nowhere.
	AgentCheck string
	// Resources are what this node leases besides its processors and memory, or
	// in place of them: "gpu=1", "cpu=6". "none" leaves out the machine's own.
	// resmgr.ParseAmounts has the form.
	Resources []string
	// Tags are name=value of this node, for selectors; node=Name is there
	// unless it is given.
	Tags []string
	// StateDir is where what was leased is kept over a restart; it is made. Zero:
	// nowhere, which Ephemeral says is meant.
	StateDir  string
	Ephemeral bool
	// Timeout is how long a request may take, from its arrival, until the head
	// of its answer. A body that is still being sent extends it: it counts from
	// the body's last byte then. Zero: 30 s.
	Timeout time.Duration
	// DeadlineHeader is a field of requests in which clients say how long they
	// wait, in milliseconds or with a unit; see balancer.Config. Zero: none.
	DeadlineHeader string
	// IgnorePriority has the clients' Priority header play no part.
	IgnorePriority bool
	// DrainDelay is how long a stopping agent, which is not ready any more,
	// still takes new requests: what stands before it needs that time to see
	// it. Zero: none.
	DrainDelay time.Duration
	// Connections is how many of clients may be open. Zero: 10,000, or what the
	// process may have open of files, without 256 and one for each place, if
	// that is less.
	Connections int
	// ConnectionsPerAddress is how many of them one address may have, by /64 for
	// IPv6. Addresses in Trust have no such limit; those that they name with the
	// PROXY protocol have it. Zero: 1,000.
	ConnectionsPerAddress int
	// HTTP2Streams is how many requests a client may have at once on one HTTP/2
	// connection. Zero: 100.
	HTTP2Streams int
	// Trust are the addresses of proxies before this agent whose word about
	// their clients is taken: X-Forwarded-For, -Host and -Proto, Forwarded.
	// Nil: nobody's.
	Trust []netip.Prefix
	// ProxyProtocol says that connections from Trust begin with a header of the
	// PROXY protocol.
	ProxyProtocol bool
	// FastLane is off where every request goes through net/http's server, and on
	// where plain ones of HTTP/1.1 do not. Zero: on.
	FastLane string
	// DrainTimeout is how long a stopping agent waits for what is in flight.
	// Zero: 30 s.
	DrainTimeout time.Duration

	// Version is what the agent calls itself in the API and the metrics.
	Version string
	// Logger gets what happens. Nil: nothing is logged.
	Logger *slog.Logger
	// Network is where listeners and connections come from. Nil: the system.
	Network Network
	// Host reads the load of the machine and of the container for the load
	// report. Nil: package host.
	Host HostFeed
	// Started, when set, is called once, when the agent listens.
	Started func(Addresses)
}

// Addresses is what a running agent listens on, with the ports that the
// system chose where the configuration said 0.
type Addresses struct {
	HTTP                string // "": the agent is embedded
	Admin, Gossip, Link string
	AgentCheck          string // "": there is none
}

func (c Config) withDefaults() Config {
	setDefault(&c.Cluster, "kecho")
	if !c.Embedded {
		setDefault(&c.Listen, "127.0.0.1:8080")
	}
	setDefault(&c.Admin, "127.0.0.1:7940")
	setDefault(&c.Bind, "127.0.0.1:7946")
	if c.Link == "" {
		c.Link, c.linkBeside = portAfter(c.Bind), true
	}
	setDefault(&c.Transport, overTCP)
	setDefault(&c.SoftLimit, 8)
	if c.LearnLimit {
		setDefault(&c.SoftLimitMax, max(64, c.SoftLimit))
	} else {
		setDefault(&c.HardLimit, c.SoftLimit)
	}
	setDefault(&c.Queue, max(16*max(c.HardLimit, c.SoftLimitMax), 1024))
	setDefault(&c.QueueBytes, 64<<20)
	setDefault(&c.QueueAge, 500*time.Millisecond)
	setDefault(&c.ConnectionsPerAddress, 1000)
	setDefault(&c.HTTP2Streams, 100)
	setDefault(&c.LoadEvery, time.Second)
	setDefault(&c.Policy, "auto")
	setDefault(&c.Timeout, 30*time.Second)
	setDefault(&c.DrainTimeout, 30*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Network == nil {
		c.Network = systemNetwork{}
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// linkFlag is where Link comes from, for who looks for what they typed.
func (c Config) linkFlag() string {
	if c.linkBeside {
		return c.flag("link") + " (the port after " + c.flag("bind") + ")"
	}
	return c.flag("link")
}

// portAfter is the address that follows bind: same host, next port.
func portAfter(bind string) string {
	host, port, err := net.SplitHostPort(bind)
	if err != nil {
		return bind // Validate says what is wrong with Bind
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 65535 {
		return bind
	}
	if n > 0 {
		n++
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10))
}
