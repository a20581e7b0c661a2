package main

import (
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/agent"
)

// agentFlags are agent.Config's fields. Each is read from KECHO_NAME in the
// environment too, with NAME its name in capitals.
func agentFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "name", EnvVars: env("name"), DefaultText: "the host's name", Usage: "`NAME` of this node, unique in the cluster"},
		&cli.StringFlag{Name: "listen", EnvVars: env("listen"), Value: "127.0.0.1:8080", Usage: "`ADDRESS` for clients"},
		&cli.StringFlag{Name: "upstream", EnvVars: env("upstream"), Usage: "`URL` of the web server to stand before, such as http://127.0.0.1:9000 or unix:///run/app.sock (required)"},
		&cli.StringFlag{Name: "bind", EnvVars: env("bind"), Value: "127.0.0.1:7946", Usage: "`ADDRESS` for gossip, TCP and UDP"},
		&cli.StringFlag{Name: "link", EnvVars: env("link"), DefaultText: "host of --bind, next port", Usage: "`ADDRESS` for the peers' direct connections"},
		&cli.StringFlag{Name: "transport", EnvVars: env("transport"), Value: "tcp", Usage: "what these connections are, the same on every agent: tcp, or quic on the UDP port of --link"},
		&cli.StringFlag{Name: "advertise", EnvVars: env("advertise"), DefaultText: "host of --bind", Usage: "`HOST` that the peers reach this node at"},
		&cli.StringSliceFlag{Name: "join", EnvVars: env("join"), Usage: "gossip `ADDRESS` of any member; may be repeated"},
		&cli.StringFlag{Name: "cluster", EnvVars: env("cluster"), Value: "kecho", Usage: "`NAME` of the cluster; others are not talked to"},
		&cli.StringFlag{Name: "key", EnvVars: env("key"), Usage: "`FILE` with the gossip key: base64 of 16, 24 or 32 bytes; or the base64 itself in " + keyData},
		&cli.StringFlag{Name: "tls-cert", EnvVars: env("tls-cert"), Usage: "`FILE` with the certificate for clients; read again when it changes (plaintext)"},
		&cli.StringFlag{Name: "tls-key", EnvVars: env("tls-key"), Usage: "`FILE` with its private key"},
		&cli.StringFlag{Name: "cert", EnvVars: env("cert"), Usage: "`FILE` with this node's certificate, for mutual TLS between agents"},
		&cli.StringFlag{Name: "cert-key", EnvVars: env("cert-key"), Usage: "`FILE` with its private key"},
		&cli.StringFlag{Name: "ca", EnvVars: env("ca"), Usage: "`FILE` with the authority that signs the agents' certificates"},
		&cli.BoolFlag{Name: "insecure", EnvVars: env("insecure"), Usage: "allow other addresses than loopback without keys"},
		&cli.StringFlag{Name: "admin", EnvVars: env("admin"), Value: "127.0.0.1:7940", Usage: "`ADDRESS` of the API, /metrics and the probes"},
		&cli.StringFlag{Name: "socket", EnvVars: env("socket"), Usage: "`PATH` of a Unix socket for the API too, mode 0660, such as /run/kecho/api.sock"},
		&cli.StringFlag{Name: "soft-limit", EnvVars: env("soft-limit"), DefaultText: "8", Usage: "requests at the web server before others may go elsewhere: a `NUMBER`, or auto: learned from how long it takes"},
		&cli.IntFlag{Name: "soft-limit-max", EnvVars: env("soft-limit-max"), DefaultText: "64", Usage: "most that --soft-limit auto comes to"},
		&cli.IntFlag{Name: "hard-limit", EnvVars: env("hard-limit"), DefaultText: "as soft", Usage: "requests at the web server at most"},
		&cli.IntFlag{Name: "queue", EnvVars: env("queue"), DefaultText: "16 x hard, 1024 or more", Usage: "requests that wait here at most"},
		&cli.Int64Flag{Name: "queue-bytes", EnvVars: env("queue-bytes"), DefaultText: "64 MiB", Usage: "memory in bytes that those hold at most"},
		&cli.DurationFlag{Name: "queue-age", EnvVars: env("queue-age"), Value: 500 * time.Millisecond, Usage: "age of the oldest waiting request from which new ones are refused"},
		&cli.StringFlag{Name: "policy", EnvVars: env("policy"), Value: "auto", Usage: "`NAME` of how requests find a server: auto, offers, push, none, paper, race, hedge or speculative"},
		&cli.DurationFlag{Name: "forward-after", EnvVars: env("forward-after"), DefaultText: "the policy's", Usage: "how long a request waits here before --policy paper moves it, or takes until --policy hedge has another server begin it"},
		&cli.Float64Flag{Name: "weight", EnvVars: env("weight"), Value: 1, Usage: "how often peers pick this node beside others like it, 0.1 to 10; 0: never"},
		&cli.StringFlag{Name: "zone", EnvVars: env("zone"), Usage: "`NAME` of where the node is; peers of the same zone are preferred"},
		&cli.StringSliceFlag{Name: "overflow", EnvVars: env("overflow"), Usage: "`CONDITION` while which requests go to peers that have room, such as 'cpu > 0.85 cancel < 0.7'; may be repeated"},
		&cli.GenericFlag{Name: "threshold", EnvVars: env("threshold"), Value: new(texts), Usage: "`CONDITION [do ACTION...]` to watch, with actions overflow, event=CHANNEL/TYPE and webhook=URL; may be repeated"},
		&cli.StringFlag{Name: "load-url", EnvVars: env("load-url"), Usage: "`URL` that says how busy the application is: a number, or ORCA as text or JSON"},
		&cli.DurationFlag{Name: "load-every", EnvVars: env("load-every"), Value: time.Second, Usage: "how often --load-url is asked"},
		&cli.BoolFlag{Name: "pass-load", EnvVars: env("pass-load"), Usage: "leave the web server's load reports (endpoint-load-metrics) in its answers"},
		&cli.BoolFlag{Name: "orca", EnvVars: env("orca"), Usage: "put this node's load report (endpoint-load-metrics) on each answer"},
		&cli.StringFlag{Name: "agent-check", EnvVars: env("agent-check"), Usage: "`ADDRESS` where HAProxy's agent-check is answered, such as 127.0.0.1:7950"},
		&cli.StringSliceFlag{Name: "resource", EnvVars: env("resource"), Usage: "`KIND=QUANTITY` that this node leases besides its cpu, mem and disk, or in their place, such as gpu=1; none: not those; may be repeated"},
		&cli.StringSliceFlag{Name: "tag", EnvVars: env("tag"), Usage: "`NAME=VALUE` for who selects nodes to lease from, such as zone=a; may be repeated"},
		&cli.StringFlag{Name: "state-dir", EnvVars: env("state-dir"), Usage: "`DIRECTORY` where leases are kept over a restart, such as /var/lib/kecho; it is made"},
		&cli.BoolFlag{Name: "ephemeral", EnvVars: env("ephemeral"), Usage: "leases are forgotten at a restart, and this is meant"},
		&cli.IntFlag{Name: "copies", EnvVars: env("copies"), DefaultText: "the policy's", Usage: "servers that work on one request by --policy paper, race or hedge, if it may be repeated; the first answer wins"},
		&cli.StringFlag{Name: "cancel", EnvVars: env("cancel"), DefaultText: "complete", Usage: "what ends the copies that lose: `complete`, the first answer; start, the first that is begun (not hedge); none"},
		&cli.DurationFlag{Name: "timeout", EnvVars: env("timeout"), Value: 30 * time.Second, Usage: "how long a request may take until its answer begins; a body that is still being sent extends it"},
		&cli.StringFlag{Name: "deadline-header", EnvVars: env("deadline-header"), Usage: "`NAME` of a header in which clients say how long they wait: milliseconds, or with a unit, such as 1.5s"},
		&cli.BoolFlag{Name: "ignore-priority", EnvVars: env("ignore-priority"), Usage: "have the clients' Priority header (RFC 9218) play no part"},
		&cli.DurationFlag{Name: "drain-timeout", EnvVars: env("drain-timeout"), Value: 30 * time.Second, Usage: "how long to wait for what is in flight when told to stop"},
		&cli.DurationFlag{Name: "drain-delay", EnvVars: env("drain-delay"), Value: 2 * time.Second, Usage: "how long requests are still taken when told to stop, for those before this agent to see that it is not ready"},
		&cli.StringSliceFlag{Name: "trust", EnvVars: env("trust"), Usage: "`CIDR` of a proxy before this agent, whose X-Forwarded-* are kept; may be repeated"},
		&cli.BoolFlag{Name: "proxy-protocol", EnvVars: env("proxy-protocol"), Usage: "connections from --trust begin with a PROXY protocol header"},
		&cli.StringFlag{Name: "log-format", EnvVars: env("log-format"), Value: "auto", Usage: "`FORMAT` of the log: json, text, or auto: text on a terminal"},
		&cli.StringFlag{Name: "log-level", EnvVars: env("log-level"), Value: "info", Usage: "least `LEVEL` that is logged: debug, info, warn or error"},
	}
}

// env is the environment's name of a flag.
func env(flag string) []string {
	return []string{"KECHO_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))}
}

// agentConfig is what the flags say. It reads the key; all else is left to
// agent.Config.Validate.
func agentConfig(c *cli.Context) (agent.Config, error) {
	key, err := readKey(c)
	if err != nil {
		return agent.Config{}, err
	}
	name := c.String("name")
	if name == "" {
		if name, err = os.Hostname(); err != nil {
			return agent.Config{}, usageError(c, "--name is missing, and the host has none: %v", err)
		}
	}
	var join []string
	for _, seed := range c.StringSlice("join") {
		if seed = strings.TrimSpace(seed); seed != "" { // KECHO_JOIN="" says none
			join = append(join, seed)
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
		Link: c.String("link"), Transport: c.String("transport"), Advertise: c.String("advertise"), Join: join,
		Key: key, CA: c.String("ca"), Cert: c.String("cert"), CertKey: c.String("cert-key"),
		TLSCert: c.String("tls-cert"), TLSKey: c.String("tls-key"),
		Insecure:  c.Bool("insecure"),
		SoftLimit: soft, LearnLimit: learn, SoftLimitMax: c.Int("soft-limit-max"), HardLimit: c.Int("hard-limit"), Queue: c.Int("queue"),
		QueueBytes: c.Int64("queue-bytes"), Cancel: c.String("cancel"),
		QueueAge: c.Duration("queue-age"), Policy: c.String("policy"), Weight: &weight, Zone: c.String("zone"), ForwardAfter: c.Duration("forward-after"),
		// Repeated ones make one list, and so does one that was cut at commas.
		Overflow:   strings.Join(c.StringSlice("overflow"), ", "),
		Thresholds: c.Generic("threshold").(*texts).all,
		LoadURL:    c.String("load-url"), LoadEvery: c.Duration("load-every"),
		PassLoad: c.Bool("pass-load"), ORCA: c.Bool("orca"), AgentCheck: c.String("agent-check"),
		DrainDelay: c.Duration("drain-delay"), Trust: trust, ProxyProtocol: c.Bool("proxy-protocol"),
		Copies: c.Int("copies"), Timeout: c.Duration("timeout"), DeadlineHeader: c.String("deadline-header"),
		IgnorePriority: c.Bool("ignore-priority"), DrainTimeout: c.Duration("drain-timeout"),
		Resources: c.StringSlice("resource"), Tags: c.StringSlice("tag"), StateDir: c.String("state-dir"), Ephemeral: c.Bool("ephemeral"),
		Version: thisBuild().Version,
	}, nil
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
