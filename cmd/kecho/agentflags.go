package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// agentFlags are agent.Config's fields, as --help groups them. Each is read from
// KECHO_NAME in the environment too, with NAME its name in capitals.
func agentFlags() []cli.Flag {
	return slices.Concat(
		grouped("Clients", clientFlags()),
		grouped("Web server", upstreamFlags()),
		grouped("Limits", limitFlags()),
		grouped("Policy", policyFlags()),
		grouped("Load", loadFlags()),
		grouped("Channels and thresholds", watchFlags()),
		grouped("Cluster", clusterFlags()),
		grouped("Another cluster", gatewayFlags()),
		grouped("Leases", leaseFlags()),
		grouped("Operation", operateFlags()),
	)
}

// grouped puts flags under a title of the page of help, and has each read from the
// environment.
func grouped(title string, flags []cli.Flag) []cli.Flag {
	for _, f := range flags {
		switch f := f.(type) {
		case *cli.StringFlag:
			f.Category, f.EnvVars = title, env(f.Name)
		case *cli.StringSliceFlag:
			f.Category, f.EnvVars = title, env(f.Name)
		case *cli.BoolFlag:
			f.Category, f.EnvVars = title, env(f.Name)
		case *cli.IntFlag:
			f.Category, f.EnvVars = title, env(f.Name)
		case *cli.Int64Flag:
			f.Category, f.EnvVars = title, env(f.Name)
		case *cli.Float64Flag:
			f.Category, f.EnvVars = title, env(f.Name)
		case *cli.DurationFlag:
			f.Category, f.EnvVars = title, env(f.Name)
		case *cli.GenericFlag:
			f.Category, f.EnvVars = title, env(f.Name)
		default:
			panic(fmt.Sprintf("a flag of type %T has no place for its group", f))
		}
	}
	return flags
}

// groupedHelp is the page of help of a command with groups of flags: package cli
// would sort the groups, and the flags in each, by the alphabet.
const groupedHelp = `NAME:
   {{template "helpNameTemplate" .}}

USAGE:
   {{template "usageTemplate" .}}

DESCRIPTION:
   {{template "descriptionTemplate" .}}

OPTIONS:{{$group := "-"}}{{range .VisibleFlags}}{{if ne .GetCategory $group}}{{$group = .GetCategory}}
{{with $group}}
   {{.}}
{{end}}{{end}}
   {{wrap .String 6}}{{end}}
`

// clientFlags are how clients come in.
func clientFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "listen", Value: "127.0.0.1:8080", Usage: "`ADDRESS` for clients"},
		&cli.StringFlag{Name: "tls-cert", Usage: "`FILE` with the certificate for clients; read again when it changes (plaintext)"},
		&cli.StringFlag{Name: "tls-key", Usage: "`FILE` with its private key"},
		&cli.IntFlag{Name: "connections", DefaultText: "10000, or what the limit of open files leaves", Usage: "clients' connections open at most; idle ones make room for others"},
		&cli.IntFlag{Name: "connections-per-address", Value: 1000, Usage: "of them from one address at most; those of --trust have no such limit"},
		&cli.IntFlag{Name: "http2-streams", Value: 100, Usage: "requests at once on one HTTP/2 connection of a client at most"},
		&cli.DurationFlag{Name: "timeout", Value: 30 * time.Second, Usage: "how long a request may take until its answer begins; a body that is still being sent extends it"},
		&cli.StringFlag{Name: "deadline-header", Usage: "`NAME` of a header in which clients say how long they wait: milliseconds, or with a unit, such as 1.5s"},
		&cli.BoolFlag{Name: "ignore-priority", Usage: "have the clients' Priority header (RFC 9218) play no part"},
		&cli.StringSliceFlag{Name: "trust", Usage: "`CIDR` of a proxy before this agent, whose X-Forwarded-* are kept; may be repeated"},
		&cli.BoolFlag{Name: "proxy-protocol", Usage: "connections from --trust begin with a PROXY protocol header"},
		&cli.StringFlag{Name: "fast-lane", Value: "on", Usage: "`STATE` of the lane in which plain HTTP/1.1 requests are served without net/http: on, or off: all go through it"},
	}
}

// loadFlags are what the application says of its load.
func loadFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "load-url", Usage: "`URL` that says how busy the application is: a number, or ORCA as text or JSON"},
		&cli.DurationFlag{Name: "load-every", Value: time.Second, Usage: "how often --load-url is asked"},
		&cli.BoolFlag{Name: "pass-load", Usage: "leave the web server's load reports (endpoint-load-metrics) in its answers"},
		&cli.BoolFlag{Name: "orca", Usage: "put this node's load report (endpoint-load-metrics) on each answer"},
		&cli.StringFlag{Name: "agent-check", Usage: "`ADDRESS` where HAProxy's agent-check is answered, such as 127.0.0.1:7950"},
	}
}

// limitFlags are how much is served and waits here.
func limitFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "soft-limit", DefaultText: "8", Usage: "requests at the web server before others may go elsewhere: a `NUMBER`, or auto: learned from how long it takes"},
		&cli.IntFlag{Name: "soft-limit-max", DefaultText: "64", Usage: "most that --soft-limit auto comes to"},
		&cli.IntFlag{Name: "hard-limit", DefaultText: "as soft", Usage: "requests at the web server at most"},
		&cli.IntFlag{Name: "queue", DefaultText: "16 x hard, 1024 or more", Usage: "requests that wait here at most"},
		&cli.Int64Flag{Name: "queue-bytes", DefaultText: "64 MiB", Usage: "memory in bytes that those hold at most"},
		&cli.DurationFlag{Name: "queue-age", Value: 500 * time.Millisecond, Usage: "age of the oldest waiting request from which new ones are refused"},
	}
}

// policyFlags are how requests find a server.
func policyFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "policy", Value: "auto", Usage: "`NAME` of how requests find a server: auto, offers, push, none, paper, race, hedge or speculative"},
		&cli.DurationFlag{Name: "forward-after", DefaultText: "the policy's", Usage: "how long a request waits here before --policy paper moves it, or takes until --policy hedge has another server begin it"},
		&cli.IntFlag{Name: "copies", DefaultText: "the policy's", Usage: "servers that work on one request by --policy paper, race or hedge, if it may be repeated; the first answer wins"},
		&cli.StringFlag{Name: "cancel", DefaultText: "complete", Usage: "`WHAT` ends the copies that lose: complete, the first answer; start, the first that is begun (not hedge); none"},
		&cli.Float64Flag{Name: "weight", Value: 1, Usage: "how often peers pick this node beside others like it, 0.1 to 10; 0: never"},
		&cli.StringFlag{Name: "zone", Usage: "`NAME` of where the node is; peers of the same zone are preferred"},
		&cli.StringSliceFlag{Name: "overflow", Usage: "`CONDITION` while which requests go to peers that have room, such as 'cpu > 0.85 cancel < 0.7'; may be repeated"},
	}
}

// watchFlags are what is there for applications and operators from the start.
func watchFlags() []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: "channel", Value: new(texts), Usage: "`CHANNEL` that is open for applications from the start; followed by idle=DURATION, type=TYPE as for kecho channel open; may be repeated"},
		&cli.GenericFlag{Name: "threshold", Value: new(texts), Usage: "`CONDITION [do ACTION...]` to watch, with actions overflow, event=CHANNEL/TYPE and webhook=URL; may be repeated"},
	}
}

// clusterFlags are what the node is among others.
func clusterFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "name", DefaultText: "the host's name", Usage: "`NAME` of this node, unique in the cluster"},
		&cli.StringFlag{Name: "cluster", Value: "kecho", Usage: "`NAME` of the cluster; others are not talked to"},
		&cli.StringFlag{Name: "bind", Value: "127.0.0.1:7946", Usage: "`ADDRESS` for gossip, TCP and UDP"},
		&cli.StringFlag{Name: "link", DefaultText: "host of --bind, next port", Usage: "`ADDRESS` for the peers' direct connections"},
		&cli.StringFlag{Name: "transport", Value: "tcp", Usage: "what these connections are, the same on every agent: tcp, or quic on the UDP port of --link"},
		&cli.StringFlag{Name: "advertise", DefaultText: "host of --bind", Usage: "`HOST` that the peers reach this node at"},
		&cli.StringSliceFlag{Name: "join", Usage: "gossip `ADDRESS` of any member; may be repeated"},
		&cli.StringFlag{Name: "key", Usage: "`FILE` with the gossip key: base64 of 16, 24 or 32 bytes; or the base64 itself in " + keyData},
		&cli.StringFlag{Name: "cert", Usage: "`FILE` with this node's certificate, for mutual TLS between agents"},
		&cli.StringFlag{Name: "cert-key", Usage: "`FILE` with its private key"},
		&cli.StringFlag{Name: "ca", Usage: "`FILE` with the authority that signs the agents' certificates"},
		&cli.BoolFlag{Name: "insecure", Usage: "allow other addresses than loopback without keys"},
	}
}

// leaseFlags are what the node leases.
func leaseFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "resource", Usage: "`KIND=QUANTITY` that this node leases besides its cpu, mem and disk, or in their place, such as gpu=1; none: not those; may be repeated"},
		&cli.StringSliceFlag{Name: "tag", Usage: "`NAME=VALUE` for who selects nodes to lease from, such as zone=a; may be repeated"},
		&cli.StringFlag{Name: "state-dir", Usage: "`DIRECTORY` where leases are kept over a restart, such as /var/lib/kecho; it is made"},
		&cli.BoolFlag{Name: "ephemeral", Usage: "leases are forgotten at a restart, and this is meant"},
	}
}

// operateFlags are how the agent is watched and stopped.
func operateFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "admin", Value: "127.0.0.1:7940", Usage: "`ADDRESS` of the API, /metrics and the probes"},
		&cli.StringFlag{Name: "socket", Usage: "`PATH` of a Unix socket for the API too, mode 0660, such as /run/kecho/api.sock"},
		&cli.DurationFlag{Name: "drain-delay", Value: 2 * time.Second, Usage: "how long requests are still taken when told to stop, for those before this agent to see that it is not ready"},
		&cli.DurationFlag{Name: "drain-timeout", Value: 30 * time.Second, Usage: "how long to wait for what is in flight when told to stop"},
		&cli.StringFlag{Name: "log-format", Value: "auto", Usage: "`FORMAT` of the log: json, text, or auto: text on a terminal"},
		&cli.StringFlag{Name: "log-level", Value: "info", Usage: "least `LEVEL` that is logged: debug, info, warn or error"},
	}
}

// env is the environment's name of a flag.
func env(flag string) []string {
	return []string{"KECHO_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))}
}
