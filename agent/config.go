package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"kecho/balancer"
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
	// http://host:port[/prefix], https://... or unix:///path/of/socket. Required.
	Upstream string

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
	// linkBeside is that Link was not given.
	linkBeside bool
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

	// SoftLimit is how many requests the upstream serves at once before
	// others may go elsewhere. Zero: 8.
	SoftLimit int
	// HardLimit is how many it is given at most, when no peer has room either.
	// Zero: SoftLimit. What is above the web server's true parallelism waits
	// in its queue, from where nothing can go elsewhere any more: 2 x costs 1.3 x
	// the p99.
	HardLimit int
	// Queue is how many requests wait here at most. Zero: 16 x HardLimit, and
	// at least 1,024, so that it is QueueAge that decides and this only bounds
	// the memory.
	Queue int
	// QueueAge is how long the oldest waiting request may have waited before
	// new ones are refused. Zero: 500 ms.
	QueueAge time.Duration
	// ForwardAfter is how long a request waits for a local place before it
	// may go to a peer. Zero: at once.
	ForwardAfter time.Duration
	// Copies is how many peers get a request; the first answer wins. Only
	// requests that may be repeated are ever copied. Zero: 1; at most 3.
	Copies int
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
	// Timeout is how long a request may take, from its arrival, until the head
	// of its answer. A body that is still being sent extends it: it counts from
	// the body's last byte then. Zero: 30 s.
	Timeout time.Duration
	// DrainDelay is how long a stopping agent, which is not ready any more,
	// still takes new requests: what stands before it needs that time to see
	// it. Zero: none.
	DrainDelay time.Duration
	// Trust are the addresses of proxies before this agent whose word about
	// their clients is taken: X-Forwarded-For, -Host and -Proto, Forwarded.
	// Nil: nobody's.
	Trust []netip.Prefix
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
	HTTP, Admin, Gossip, Link string
}

func (c Config) withDefaults() Config {
	setDefault(&c.Cluster, "kecho")
	setDefault(&c.Listen, "127.0.0.1:8080")
	setDefault(&c.Admin, "127.0.0.1:7940")
	setDefault(&c.Bind, "127.0.0.1:7946")
	if c.Link == "" {
		c.Link, c.linkBeside = portAfter(c.Bind), true
	}
	setDefault(&c.SoftLimit, 8)
	setDefault(&c.HardLimit, c.SoftLimit)
	setDefault(&c.Queue, max(16*c.HardLimit, 1024))
	setDefault(&c.QueueAge, 500*time.Millisecond)
	setDefault(&c.Copies, 1)
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
		return "--link (the port after --bind)"
	}
	return "--link"
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

var nodeName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)

// Validate says everything that is wrong with the configuration, joined, each
// with the flag that says it and what to write instead; nil when New would
// take it.
func (c Config) Validate() error {
	c = c.withDefaults()
	errs := []error{c.validateName(), c.validateUpstream(), c.validateKeys(), c.validateLimits()}
	for _, a := range []struct{ flag, addr string }{
		{"--listen", c.Listen}, {"--admin", c.Admin}, {"--bind", c.Bind},
	} {
		errs = append(errs, validateAddress(a.flag, a.addr))
	}
	if !c.linkBeside { // else it is as right as --bind
		errs = append(errs, validateAddress("--link", c.Link))
	}
	for _, seed := range c.Join {
		errs = append(errs, validateAddress("--join", seed))
	}
	return errors.Join(append(errs, c.validateSocket(), c.validateAdvertise(), c.validateExposure(), c.validateDistinct())...)
}

// maxCluster is what every packet of gossip has room for.
const maxCluster = 32

func (c Config) validateName() error {
	if !nodeName.MatchString(c.Name) {
		return fmt.Errorf("--name %.80q: want 1 to 63 letters, digits, dots, dashes and underscores, such as web1", c.Name)
	}
	if !nodeName.MatchString(c.Cluster) || len(c.Cluster) > maxCluster {
		return fmt.Errorf("--cluster %.80q: want 1 to %d letters, digits, dots, dashes and underscores", c.Cluster, maxCluster)
	}
	return nil
}

func (c Config) validateUpstream() error {
	if c.Upstream == "" {
		return errors.New("--upstream is missing: the web server to stand before, such as http://127.0.0.1:9000")
	}
	origin, err := balancer.ParseOrigin(c.Upstream)
	if err != nil {
		return fmt.Errorf("--upstream %.200q: %w", c.Upstream, err)
	}
	if origin.Network == "tcp" && sameAddress(origin.Address, c.Listen) {
		return fmt.Errorf("--upstream %s is this agent's own --listen %s: every request would come back for ever; point it at the web server", c.Upstream, c.Listen)
	}
	return nil
}

// sameAddress reports whether dialing a reaches what listens on b, as far as
// the text says.
func sameAddress(a, b string) bool {
	ahost, aport, err1 := net.SplitHostPort(a)
	bhost, bport, err2 := net.SplitHostPort(b)
	if err1 != nil || err2 != nil || aport != bport || aport == "0" {
		return false
	}
	local := func(host string) bool { return host == "localhost" || host == "" || host == "0.0.0.0" || host == "::" }
	return ahost == bhost || (isLoopback(ahost) && local(bhost)) || (local(ahost) && isLoopback(bhost)) || (local(ahost) && local(bhost))
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func (c Config) validateKeys() error {
	var errs []error
	switch len(c.Key) {
	case 0, 16, 24, 32:
	default:
		errs = append(errs, fmt.Errorf("--key holds %d bytes: want base64 of 16, 24 or 32 bytes, as `head -c 32 /dev/urandom | base64` makes them", len(c.Key)))
	}
	if set := c.CA != "" || c.Cert != "" || c.CertKey != ""; set && (c.CA == "" || c.Cert == "" || c.CertKey == "") {
		errs = append(errs, errors.New("--ca, --cert and --cert-key go together: give all three, or none"))
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		errs = append(errs, errors.New("--tls-cert and --tls-key go together: give both, or none"))
	}
	return errors.Join(errs...)
}

func (c Config) validateLimits() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.SoftLimit > 0, "--soft-limit %d: want at least 1", c.SoftLimit)
	check(c.HardLimit >= c.SoftLimit, "--hard-limit %d is below --soft-limit %d: above the soft limit requests may go elsewhere, above the hard one nothing more is taken", c.HardLimit, c.SoftLimit)
	check(c.HardLimit <= 1e6, "--hard-limit %d: want at most 1000000", c.HardLimit)
	check(c.Queue > 0, "--queue %d: want at least 1", c.Queue)
	check(c.QueueAge > 0, "--queue-age %v: want more than 0", c.QueueAge)
	check(c.ForwardAfter >= 0, "--forward-after %v: want 0 or more", c.ForwardAfter)
	check(c.Copies >= 1 && c.Copies <= 3, "--copies %d: want 1, 2 or 3", c.Copies)
	check(c.Timeout > 0, "--timeout %v: want more than 0", c.Timeout)
	check(c.Timeout <= 0 || c.ForwardAfter < c.Timeout, "--forward-after %v is not below --timeout %v: no request would ever be forwarded", c.ForwardAfter, c.Timeout)
	check(c.DrainDelay >= 0, "--drain-delay %v: want 0 or more", c.DrainDelay)
	check(c.DrainTimeout > 0, "--drain-timeout %v: want more than 0", c.DrainTimeout)
	_, err := c.thresholds()
	errs = append(errs, err)
	return errors.Join(errs...)
}

func validateAddress(flag, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s %.200q: want host:port, such as %s", flag, addr, exampleOf(flag))
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%s %.200q: the port is not a number from 0 to 65535", flag, addr)
	}
	if flag == "--join" && (host == "" || port == "0") {
		return fmt.Errorf("%s %.200q: want the host and the gossip port of a member, such as %s", flag, addr, exampleOf(flag))
	}
	return nil
}

// exampleOf is an address that an address flag could be given.
func exampleOf(flag string) string {
	switch flag {
	case "--listen":
		return "127.0.0.1:8080"
	case "--admin":
		return "127.0.0.1:7940"
	case "--bind":
		return "127.0.0.1:7946"
	case "--join":
		return "10.0.0.5:7946"
	}
	return "127.0.0.1:7947" // --link
}

// maxSocket is what the path of a Unix socket has room for.
const maxSocket = 107

func (c Config) validateSocket() error {
	if c.Socket != "" && (!filepath.IsAbs(c.Socket) || len(c.Socket) > maxSocket) {
		return fmt.Errorf("--socket %.200q: want the path of a Unix socket, from the root and with at most %d bytes, such as /run/kecho/api.sock", c.Socket, maxSocket)
	}
	return nil
}

// validateAdvertise refuses to tell others an address that is not known yet.
func (c Config) validateAdvertise() error {
	if c.Advertise == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(c.Advertise); err == nil {
		return fmt.Errorf("--advertise %.80q: want a host without a port; the ports are those of --bind and --link", c.Advertise)
	}
	if _, port, err := net.SplitHostPort(c.Bind); err != nil || port != "0" {
		return nil
	}
	return fmt.Errorf("--advertise %.80s needs a port in --bind: others cannot be told one that the system will choose", c.Advertise)
}

// validateExposure refuses to be reachable from elsewhere without keys.
func (c Config) validateExposure() error {
	if c.Insecure || (len(c.Key) > 0 && c.Cert != "") {
		return nil
	}
	for _, a := range []struct{ flag, addr string }{{"--bind", c.Bind}, {c.linkFlag(), c.Link}} {
		if host, _, err := net.SplitHostPort(a.addr); err == nil && !isLoopback(host) {
			return fmt.Errorf("%s %s can be reached from other machines, and there are no keys: give --key, --ca, --cert and --cert-key, or say --insecure on a network that you trust", a.flag, a.addr)
		}
	}
	return nil
}

// validateDistinct refuses one TCP address for two purposes.
func (c Config) validateDistinct() error {
	addrs := []struct{ flag, addr string }{
		{"--listen", c.Listen}, {"--admin", c.Admin}, {"--bind", c.Bind}, {c.linkFlag(), c.Link},
	}
	for i, a := range addrs {
		for _, b := range addrs[:i] {
			if sameAddress(a.addr, b.addr) {
				return fmt.Errorf("%s and %s are both %s: give each its own port", b.flag, a.flag, a.addr)
			}
		}
	}
	return nil
}
