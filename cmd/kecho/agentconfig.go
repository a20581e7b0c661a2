package main

import (
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"kecho/agent"
)

// agentConfig is what the flags say. It reads the key; all else is left to
// agent.Config.Validate.
func agentConfig(c *cli.Context) (agent.Config, error) {
	key, err := readKey(c, "key", keyData)
	if err != nil {
		return agent.Config{}, err
	}
	beyond, err := gatewayConfig(c)
	if err != nil {
		return agent.Config{}, err
	}
	name := c.String("name")
	if name == "" {
		if name, err = os.Hostname(); err != nil {
			return agent.Config{}, usageError(c, "--name is missing, and the host has none: %v", err)
		}
	}
	var trust []netip.Prefix
	for _, cidr := range c.StringSlice("trust") {
		prefix, err := parsePrefix(strings.TrimSpace(cidr))
		if err != nil {
			return agent.Config{}, usageError(c, "--trust %.80q: want an address or a network, such as 10.0.0.7 or 10.0.0.0/24", cidr)
		}
		trust = append(trust, prefix)
	}
	soft, learn, err := softLimit(c)
	if err != nil {
		return agent.Config{}, err
	}
	weight := c.Float64("weight")
	return agent.Config{
		Name: name, Cluster: c.String("cluster"), Upstream: c.String("upstream"),
		Listen: c.String("listen"), Admin: c.String("admin"), Socket: c.String("socket"), Bind: c.String("bind"),
		Link: c.String("link"), Transport: c.String("transport"), Advertise: c.String("advertise"), Join: seeds(c, "join"),
		Key: key, CA: c.String("ca"), Cert: c.String("cert"), CertKey: c.String("cert-key"),
		TLSCert: c.String("tls-cert"), TLSKey: c.String("tls-key"),
		Insecure: c.Bool("insecure"), Gateway: beyond,
		Health: upstreamHealth(c), KeepAlive: upstreamKeepAlive(c), Failures: c.Int("health-failures"),
		SoftLimit: soft, LearnLimit: learn, SoftLimitMax: c.Int("soft-limit-max"), HardLimit: c.Int("hard-limit"), Queue: c.Int("queue"),
		QueueBytes: c.Int64("queue-bytes"), Connections: c.Int("connections"), ConnectionsPerAddress: c.Int("connections-per-address"), HTTP2Streams: c.Int("http2-streams"), Cancel: c.String("cancel"),
		QueueAge: c.Duration("queue-age"), Policy: c.String("policy"), Weight: &weight, Zone: c.String("zone"), ForwardAfter: c.Duration("forward-after"),
		// Repeated ones make one list, and so does one that was cut at commas.
		Overflow:   strings.Join(c.StringSlice("overflow"), ", "),
		Thresholds: c.Generic("threshold").(*texts).all,
		Channels:   c.Generic("channel").(*texts).all,
		LoadURL:    c.String("load-url"), LoadEvery: c.Duration("load-every"),
		PassLoad: c.Bool("pass-load"), ORCA: c.Bool("orca"), AgentCheck: c.String("agent-check"),
		DrainDelay: c.Duration("drain-delay"), Trust: trust, ProxyProtocol: c.Bool("proxy-protocol"), FastLane: c.String("fast-lane"),
		Copies: c.Int("copies"), Timeout: c.Duration("timeout"), DeadlineHeader: c.String("deadline-header"),
		IgnorePriority: c.Bool("ignore-priority"), DrainTimeout: c.Duration("drain-timeout"),
		Resources: c.StringSlice("resource"), Tags: c.StringSlice("tag"), StateDir: c.String("state-dir"), Ephemeral: c.Bool("ephemeral"),
		Version: thisBuild().Version,
	}, nil
}

// seeds is a flag with addresses of members.
func seeds(c *cli.Context, flag string) (all []string) {
	for _, seed := range c.StringSlice(flag) {
		if seed = strings.TrimSpace(seed); seed != "" { // KECHO_JOIN="" says none
			all = append(all, seed)
		}
	}
	return all
}

// softLimit is what --soft-limit says: a number, or that it is to be learned.
func softLimit(c *cli.Context) (n int, learn bool, err error) {
	text := strings.TrimSpace(c.String("soft-limit"))
	switch {
	case text == "auto":
		return 0, true, nil
	case text == "" || text == "0": // refuseZeros sees to what was meant as one
		return 0, false, nil
	}
	if n, err = strconv.Atoi(text); err != nil || n < 1 || n > 1e6 {
		return 0, false, usageError(c, "--soft-limit %.80q: want a number from 1 to 1000000, or auto", text)
	}
	return n, false, nil
}

// parsePrefix reads a network, or one address as a network of its own.
func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Prefix(addr.BitLen())
	}
	return netip.ParsePrefix(text)
}
