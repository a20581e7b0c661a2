package agent

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"kecho/balancer"
)

var nodeName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)

// Validate says everything that is wrong with the configuration, joined, each
// with the flag that says it and what to write instead; nil when New would
// take it.
func (c Config) Validate() error {
	c = c.withDefaults()
	errs := []error{c.validateUpstream(), c.validateClients(), c.validateLimits()}
	for _, a := range []struct{ flag, addr string }{
		{"--listen", c.Listen}, {"--admin", c.Admin},
	} {
		if a.addr == "" {
			continue // it is embedded
		}
		errs = append(errs, validateAddress(a.flag, a.addr))
	}
	if c.AgentCheck != "" {
		errs = append(errs, validateAddress("--agent-check", c.AgentCheck))
	}
	return errors.Join(append(errs, c.validateMembership(), c.validateSocket(), c.validateLeases(), c.validateLoad(), c.validateGateway(), c.validateChannels(), c.validateDistinct())...)
}

// validateMembership checks what the node is in its cluster.
func (c Config) validateMembership() error {
	errs := []error{c.validateName(), c.validateKeys(), validateAddress(c.flag("bind"), c.Bind)}
	if !c.linkBeside { // else it is as right as --bind
		errs = append(errs, validateAddress(c.flag("link"), c.Link))
	}
	for _, seed := range c.Join {
		errs = append(errs, validateAddress(c.flag("join"), seed))
	}
	return errors.Join(append(errs, c.validateAdvertise(), c.validateTransport(), c.validateExposure())...)
}

// flag is what the command calls the flag of that name, which is about a
// membership.
func (c Config) flag(name string) string { return "--" + c.prefix + name }

// maxCluster is what every packet of gossip has room for.
const maxCluster = 32

func (c Config) validateName() error {
	if !nodeName.MatchString(c.Name) {
		return fmt.Errorf(c.flag("name")+" %.80q: want 1 to 63 letters, digits, dots, dashes and underscores, such as web1", c.Name)
	}
	if !nodeName.MatchString(c.Cluster) || len(c.Cluster) > maxCluster {
		return fmt.Errorf(c.flag("cluster")+" %.80q: want 1 to %d letters, digits, dots, dashes and underscores", c.Cluster, maxCluster)
	}
	return nil
}

func (c Config) validateUpstream() error {
	if c.Embedded {
		return c.validateEmbedded()
	}
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
		errs = append(errs, fmt.Errorf("%s holds %d bytes: want base64 of 16, 24 or 32 bytes, as `head -c 32 /dev/urandom | base64` makes them", c.flag("key"), len(c.Key)))
	}
	if set := c.CA != "" || c.Cert != "" || c.CertKey != ""; set && (c.CA == "" || c.Cert == "" || c.CertKey == "") {
		errs = append(errs, fmt.Errorf("%s, %s and %s go together: give all three, or none", c.flag("ca"), c.flag("cert"), c.flag("cert-key")))
	}
	return errors.Join(errs...)
}

// validateClients checks how clients come in.
func (c Config) validateClients() error {
	var errs []error
	if (c.TLSCert == "") != (c.TLSKey == "") {
		errs = append(errs, errors.New("--tls-cert and --tls-key go together: give both, or none"))
	}
	if c.FastLane != "" && c.FastLane != "on" && c.FastLane != "off" {
		errs = append(errs, fmt.Errorf("--fast-lane %.80q: want on or off", c.FastLane))
	}
	if c.ProxyProtocol && len(c.Trust) == 0 {
		errs = append(errs, errors.New("--proxy-protocol needs --trust: the addresses of the proxies that send its header"))
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
	check(!c.LearnLimit || c.HardLimit == 0, "--hard-limit %d goes with a --soft-limit that is a number: with auto nothing more is given to the web server than was learned", c.HardLimit)
	check(c.LearnLimit || c.SoftLimitMax == 0, "--soft-limit-max %d goes with --soft-limit auto: a limit that is a number is its own bound", c.SoftLimitMax)
	check(!c.LearnLimit || c.SoftLimitMax >= c.SoftLimit && c.SoftLimitMax <= 1e4, "--soft-limit-max %d: want %d, where auto begins, to 10000", c.SoftLimitMax, c.SoftLimit)
	check(c.LearnLimit || c.HardLimit >= c.SoftLimit, "--hard-limit %d is below --soft-limit %d: above the soft limit requests may go elsewhere, above the hard one nothing more is taken", c.HardLimit, c.SoftLimit)
	check(c.HardLimit <= 1e6, "--hard-limit %d: want at most 1000000", c.HardLimit)
	check(c.Queue > 0, "--queue %d: want at least 1", c.Queue)
	check(c.QueueBytes >= 64<<10, "--queue-bytes %d: want at least 65536, which one request can have", c.QueueBytes)
	check(c.QueueAge > 0, "--queue-age %v: want more than 0", c.QueueAge)
	check(c.Connections >= 0, "--connections %d: want at least 1", c.Connections)
	check(c.ConnectionsPerAddress > 0, "--connections-per-address %d: want at least 1", c.ConnectionsPerAddress)
	check(c.HTTP2Streams > 0 && c.HTTP2Streams <= 10_000, "--http2-streams %d: want 1 to 10000", c.HTTP2Streams)
	check(c.Timeout > 0, "--timeout %v: want more than 0", c.Timeout)
	check(balancer.IsDeadlineHeader(c.DeadlineHeader), "--deadline-header %.80q: want the name of a header that goes from end to end and means nothing else, such as X-Request-Timeout", c.DeadlineHeader)
	errs = append(errs, c.validatePolicy(), c.validateHealth(), c.validateKeepAlive())
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
	if strings.HasSuffix(flag, "join") && (host == "" || port == "0") {
		return fmt.Errorf("%s %.200q: want the host and the gossip port of a member, such as %s", flag, addr, exampleOf(flag))
	}
	return nil
}

// exampleOf is an address that an address flag could be given.
func exampleOf(flag string) string {
	switch flag {
	case "--gateway-bind":
		return gatewayBind
	case "--listen":
		return "127.0.0.1:8080"
	case "--admin":
		return "127.0.0.1:7940"
	case "--bind":
		return "127.0.0.1:7946"
	case "--join", "--gateway-join":
		return "10.0.0.5:7946"
	case "--agent-check":
		return "127.0.0.1:7950"
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

func (c Config) validateLoad() error {
	var errs []error
	if u, err := url.Parse(c.LoadURL); c.LoadURL != "" && (err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https") {
		errs = append(errs, fmt.Errorf("--load-url %.200q: want http://host:port/path or https://host:port/path", c.LoadURL))
	}
	if c.LoadEvery < 100*time.Millisecond || c.LoadEvery > time.Hour {
		errs = append(errs, fmt.Errorf("--load-every %v: want 100ms to 1h", c.LoadEvery))
	}
	if c.ORCA && c.PassLoad {
		errs = append(errs, errors.New("--orca and --pass-load: an answer has one load report: this node's or the web server's"))
	}
	return errors.Join(errs...)
}

// validateAdvertise refuses to tell others an address that is not known yet.
func (c Config) validateAdvertise() error {
	if c.Advertise == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(c.Advertise); err == nil {
		return fmt.Errorf("%s %.80q: want a host without a port; the ports are those of %s and %s", c.flag("advertise"), c.Advertise, c.flag("bind"), c.flag("link"))
	}
	if _, port, err := net.SplitHostPort(c.Bind); err != nil || port != "0" {
		return nil
	}
	return fmt.Errorf("%s %.80s needs a port in %s: others cannot be told one that the system will choose", c.flag("advertise"), c.Advertise, c.flag("bind"))
}

// validateExposure refuses to be reachable from elsewhere without keys.
func (c Config) validateExposure() error {
	if c.Insecure || (len(c.Key) > 0 && c.Cert != "") {
		return nil
	}
	for _, a := range []struct{ flag, addr string }{{c.flag("bind"), c.Bind}, {c.linkFlag(), c.Link}} {
		if host, _, err := net.SplitHostPort(a.addr); err == nil && !isLoopback(host) {
			return fmt.Errorf("%s %s can be reached from other machines, and there are no keys: give %s, %s, %s and %s, or say %s on a network that you trust", a.flag, a.addr, c.flag("key"), c.flag("ca"), c.flag("cert"), c.flag("cert-key"), c.flag("insecure"))
		}
	}
	return nil
}

// exposed is what the log says of who can reach this agent.
func (c Config) exposed() []string {
	var warnings []string
	if c.Insecure {
		warnings = append(warnings, "running --insecure: whoever reaches the gossip and link addresses can join this cluster and read its traffic")
	}
	if c.Gateway != nil && c.Gateway.Insecure {
		warnings = append(warnings, "running --gateway-insecure: whoever reaches the gateway's gossip and link addresses can join the cluster "+c.Gateway.Cluster+" and read its traffic")
	}
	if host, _, err := net.SplitHostPort(c.Admin); err == nil && !isLoopback(host) {
		warnings = append(warnings, "--admin "+c.Admin+" can be reached from other machines and asks for no password: who reaches it can change gauges, thresholds and filters, and take leases")
	}
	return warnings
}

// validateDistinct refuses one TCP address for two purposes.
func (c Config) validateDistinct() error {
	addrs := []struct{ flag, addr string }{
		{"--listen", c.Listen}, {"--admin", c.Admin}, {"--bind", c.Bind}, {c.linkFlag(), c.Link},
		{"--agent-check", c.AgentCheck},
	}
	if far, ok := c.beyond(); ok {
		addrs = append(addrs, []struct{ flag, addr string }{{far.flag("bind"), far.Bind}, {far.linkFlag(), far.Link}}...)
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
