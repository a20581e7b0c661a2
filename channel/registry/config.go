package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"time"

	"github.com/hashicorp/memberlist"

	"kecho/channel"
)

// DefaultPort is the gossip port of an address that names none.
const DefaultPort = 7946

// Errors with which Run stops a node that cannot be a member. A node that once
// was a member is never stopped by them.
var (
	// ErrNameTaken: another running node has this one's name.
	ErrNameTaken = errors.New("already taken in this cluster")
	// ErrKeyMismatch: a seed's gossip key is another one, or only one of the
	// two has a key.
	ErrKeyMismatch = errors.New("the gossip key differs")
	// ErrNoAdvertise: Bind is every address, Advertise is empty, and this
	// machine has no private address that the others could be told.
	ErrNoAdvertise = errors.New("the address to advertise is not known")
)

// Config is a node's place in its cluster. New copies it.
type Config struct {
	// Name is unique in the cluster: 1 to 64 letters, digits, dots, dashes and
	// underscores.
	Name string
	// ID is this life of the node.
	ID channel.NodeID
	// Cluster is a label that every packet carries; nodes with another one
	// never become members. At most 32 bytes. Zero: "kecho".
	Cluster string

	// Bind is the host:port for gossip, TCP and UDP; port 0 is any free one.
	// It is ignored when Transport is set. Zero: "0.0.0.0:7946".
	Bind string
	// Advertise is the host[:port] at which others reach Bind. Zero: Bind, or
	// a private address of this machine when Bind is every address.
	Advertise string
	// LinkAddr is the host:port at which others reach this node's links. A
	// host that is empty or every address stands for the advertised one.
	LinkAddr string

	// Seeds are host[:port] of other members, joined for ever: at the start,
	// every RejoinEvery, and at once when a peer is lost. Names are resolved
	// again each time. What cannot be reached is tried again after 1 s, later
	// less often.
	Seeds []string
	// RejoinEvery is how often seeds that are not live members are joined.
	// Zero: 30 s.
	RejoinEvery time.Duration
	// Resolve finds the addresses of a name. Zero: the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)

	// Key encrypts gossip: 16, 24 or 32 bytes. With a key nothing
	// unencrypted is sent or accepted. Zero: not encrypted.
	Key []byte
	// Tags travel with the membership; names have at least 2 bytes, and all
	// together at most 96.
	Tags map[string]string

	// Transport carries gossip; Run shuts it down. Its Shutdown must close the
	// streams that it gave out. Zero: TCP and UDP on Bind.
	Transport memberlist.Transport
	// Tune may change what memberlist does; it is called once by Run. Zero:
	// its defaults for a LAN, gossip every 100 ms.
	Tune func(*memberlist.Config)
	// Logger gets serf's log too. Zero: nothing is logged.
	Logger *slog.Logger
}

// maxTags is how many bytes of Config.Tags there is room for.
const maxTags = 96

var namePattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// complete checks cfg and fills in what is zero.
func (cfg Config) complete() (Config, error) {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !namePattern.MatchString(cfg.Name) {
		bad("name %q: want 1 to 64 letters, digits, dots, dashes and underscores", cfg.Name)
	}
	if cfg.ID == 0 {
		bad("the node has no id")
	}
	if cfg.Cluster == "" {
		cfg.Cluster = "kecho"
	}
	if len(cfg.Cluster) > 32 {
		bad("cluster %q: want at most 32 bytes", cfg.Cluster)
	}
	switch len(cfg.Key) {
	case 0, 16, 24, 32:
	default:
		bad("gossip key of %d bytes: want 16, 24 or 32", len(cfg.Key))
	}
	if cfg.RejoinEvery == 0 {
		cfg.RejoinEvery = 30 * time.Second
	}
	if cfg.RejoinEvery < 0 {
		bad("rejoin every %v: want a positive time", cfg.RejoinEvery)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Resolve == nil {
		cfg.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	size := 0
	for name, value := range cfg.Tags {
		if len(name) < 2 {
			bad("tag %q: want a name of at least 2 bytes", name)
		}
		size += len(name) + len(value)
	}
	if size > maxTags {
		bad("tags of %d bytes: want at most %d together", size, maxTags)
	}
	errs = append(errs, cfg.completeAddresses())
	return cfg, errors.Join(errs...)
}

// completeAddresses gives each address its port.
func (cfg *Config) completeAddresses() error {
	var errs []error
	complete := func(what, addr string) string {
		full, err := withPort(addr)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %q: %w", what, addr, err))
		}
		return full
	}
	if cfg.Bind == "" {
		cfg.Bind = "0.0.0.0"
	}
	cfg.Bind = complete("bind address", cfg.Bind)
	if cfg.LinkAddr != "" {
		complete("link address", cfg.LinkAddr)
		if len(cfg.LinkAddr) > 96 {
			errs = append(errs, fmt.Errorf("link address %.40q...: want at most 96 bytes", cfg.LinkAddr))
		}
	}
	if cfg.Advertise != "" {
		complete("advertised address", cfg.Advertise)
	}
	seeds := make([]string, len(cfg.Seeds))
	for i, seed := range cfg.Seeds {
		seeds[i] = complete("seed", seed)
	}
	cfg.Seeds = seeds
	return errors.Join(errs...)
}

// withPort is addr with the default port if it has none.
func withPort(addr string) (string, error) {
	if ip, err := netip.ParseAddr(addr); err == nil {
		return net.JoinHostPort(ip.String(), strconv.Itoa(DefaultPort)), nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host, port, err = net.SplitHostPort(addr + ":" + strconv.Itoa(DefaultPort))
	}
	if err != nil {
		return "", errors.New("want host or host:port")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("port %q: want 0 to 65535", port)
	}
	return net.JoinHostPort(host, port), nil
}
