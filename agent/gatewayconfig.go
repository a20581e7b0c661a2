package agent

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"kecho/agent/channels"
	"kecho/channel"
	"kecho/channel/gateway"
)

// GatewayConfig is what an agent that joins its cluster with another one is in
// that one: a node of its own, with its own addresses and keys. The fields that
// Config has too mean the same there.
type GatewayConfig struct {
	// Cluster is the name of the other cluster. Required.
	Cluster string
	// Name is what the others there call this node. Zero: Config.Name.
	Name string
	// Bind is where gossip comes in. Zero: 127.0.0.1:7966.
	Bind string
	// Link is where links come in. Zero: the port after that of Bind.
	Link      string
	Transport string
	Advertise string
	Join      []string
	Key       []byte
	CA, Cert  string
	CertKey   string
	Insecure  bool

	// Share are the channels that the clusters have in common: a name each,
	// perhaps with "in" or "out", as seen from the agent's own cluster, for one
	// direction only, and with type=TYPE for each type of events, if not for all.
	Share []string
	// Hops is how many clusters an event passes at most. Zero: gateway.Hops.
	Hops int
}

// gatewayBind is where the gossip of the other cluster comes in.
const gatewayBind = "127.0.0.1:7966"

// beyond is c as the configuration of the node in the other cluster; false: there
// is no gateway.
func (c Config) beyond() (Config, bool) {
	g := c.Gateway
	if g == nil {
		return Config{}, false
	}
	far := Config{
		prefix: "gateway-", Name: cmp.Or(g.Name, c.Name), Cluster: g.Cluster,
		Bind: cmp.Or(g.Bind, gatewayBind), Link: g.Link, Transport: g.Transport, Advertise: g.Advertise, Join: g.Join,
		Key: g.Key, CA: g.CA, Cert: g.Cert, CertKey: g.CertKey, Insecure: g.Insecure,
		Logger: c.Logger, Network: c.Network,
	}
	if far.Cluster == "" {
		far.Cluster = "?" // refused by validateName; the default would be the wrong one
	}
	return far.withDefaults(), true
}

func (c Config) validateGateway() error {
	far, ok := c.beyond()
	if !ok {
		return nil
	}
	if c.Gateway.Cluster == "" {
		return errors.New("--gateway-cluster is missing: the name of the cluster to join with this one")
	}
	errs := []error{far.validateMembership()}
	if far.Cluster == c.Cluster {
		errs = append(errs, fmt.Errorf("--gateway-cluster %s is the name of this cluster too: give each cluster a name of its own (--cluster), or what comes back could not be told from what comes", far.Cluster))
	}
	if h := c.Gateway.Hops; h < 0 || h > gateway.MaxHops {
		errs = append(errs, fmt.Errorf("--gateway-hops %d: want 1 to %d", h, gateway.MaxHops))
	}
	if len(c.Gateway.Share) == 0 {
		errs = append(errs, errors.New("--gateway-share is missing: a channel that the clusters have in common, such as news"))
	}
	seen := make(map[string]bool)
	for _, text := range c.Gateway.Share {
		s, err := parseShare(text)
		switch {
		case err != nil:
			errs = append(errs, err)
		case seen[s.name]:
			errs = append(errs, fmt.Errorf("--gateway-share %q: it is shared already; put all about a channel into one", s.name))
		case len(seen) == channels.MaxChannels:
			errs = append(errs, fmt.Errorf("--gateway-share: more than %d channels", channels.MaxChannels))
		}
		seen[s.name] = true
	}
	return errors.Join(errs...)
}

// shared is what one text of GatewayConfig.Share says.
type shared struct {
	name      string
	direction gateway.Direction
	types     []channel.Type
}

func parseShare(text string) (s shared, err error) {
	bad := func(format string, args ...any) (shared, error) {
		return shared{}, fmt.Errorf("--gateway-share %.200q: %w", text, fmt.Errorf(format, args...))
	}
	words := strings.Fields(text)
	if len(words) == 0 {
		return bad("want the name of a channel")
	}
	s.name = words[0]
	switch {
	case !channels.ValidName(s.name):
		return bad("%w", channels.ErrName)
	case slices.Contains(ownChannels(), s.name):
		return bad("it is the agents' own: requests and leases stay in their cluster")
	}
	for _, word := range words[1:] {
		typ, isType := strings.CutPrefix(word, "type=")
		switch {
		case isType && typ != "" && len(typ) <= channel.MaxName:
			s.types = append(s.types, channel.Type(typ))
		case word == "in" && s.direction == gateway.Both:
			s.direction = gateway.In
		case word == "out" && s.direction == gateway.Both:
			s.direction = gateway.Out
		default:
			return bad("%.80q: want in, out (one of them; both ways is without), or type=TYPE with 1 to %d bytes", word, channel.MaxName)
		}
	}
	if len(s.types) > gateway.MaxTypes {
		return bad("%d types, at most %d", len(s.types), gateway.MaxTypes)
	}
	return s, nil
}
