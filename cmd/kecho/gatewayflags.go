package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"kecho/agent"
)

// gatewayFlags are agent.GatewayConfig's fields.
func gatewayFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "gateway-cluster", Usage: "`NAME` of another cluster, with which channels are shared: this agent is a node of it too"},
		&cli.StringSliceFlag{Name: "gateway-join", Usage: "gossip `ADDRESS` of any member of that cluster; may be repeated"},
		&cli.GenericFlag{Name: "gateway-share", Value: new(texts), Usage: "`CHANNEL` that is shared; followed by in or out only that way, by type=TYPE only that type of events; may be repeated"},
		&cli.IntFlag{Name: "gateway-hops", DefaultText: "4", Usage: "clusters that an event passes at most"},
		&cli.StringFlag{Name: "gateway-name", DefaultText: "as --name", Usage: "`NAME` of this node in that cluster, and in its certificate"},
		&cli.StringFlag{Name: "gateway-bind", DefaultText: "127.0.0.1:7966", Usage: "`ADDRESS` for its gossip, TCP and UDP"},
		&cli.StringFlag{Name: "gateway-link", DefaultText: "host of --gateway-bind, next port", Usage: "`ADDRESS` for direct connections with its nodes"},
		&cli.StringFlag{Name: "gateway-transport", DefaultText: "tcp", Usage: "what these are there: tcp or quic"},
		&cli.StringFlag{Name: "gateway-advertise", DefaultText: "host of --gateway-bind", Usage: "`HOST` that its nodes reach this one at"},
		&cli.StringFlag{Name: "gateway-key", Usage: "`FILE` with its gossip key; or the base64 itself in " + gatewayKeyData},
		&cli.StringFlag{Name: "gateway-cert", Usage: "`FILE` with this node's certificate there"},
		&cli.StringFlag{Name: "gateway-cert-key", Usage: "`FILE` with its private key"},
		&cli.StringFlag{Name: "gateway-ca", Usage: "`FILE` with the authority that signs certificates there"},
		&cli.BoolFlag{Name: "gateway-insecure", Usage: "allow other addresses than loopback there without keys"},
	}
}

// gatewayConfig is what those flags say; nil when none was given.
func gatewayConfig(c *cli.Context) (*agent.GatewayConfig, error) {
	key, err := readKey(c, "gateway-key", gatewayKeyData)
	if err != nil {
		return nil, err
	}
	given := key != nil
	for _, f := range gatewayFlags() {
		name := f.Names()[0]
		given = given || c.IsSet(name) && !emptyEnv(c, name)
	}
	if !given {
		return nil, nil
	}
	return &agent.GatewayConfig{
		Cluster: strings.TrimSpace(c.String("gateway-cluster")), Name: c.String("gateway-name"), Join: seeds(c, "gateway-join"),
		Share: c.Generic("gateway-share").(*texts).all, Hops: c.Int("gateway-hops"),
		Bind: c.String("gateway-bind"), Link: c.String("gateway-link"), Transport: c.String("gateway-transport"), Advertise: c.String("gateway-advertise"),
		Key: key, CA: c.String("gateway-ca"), Cert: c.String("gateway-cert"), CertKey: c.String("gateway-cert-key"), Insecure: c.Bool("gateway-insecure"),
	}, nil
}
