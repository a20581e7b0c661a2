package agent

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"

	"kecho/channel"
	"kecho/channel/link"
	"kecho/channel/registry"
)

// What makes a node a member of a cluster: the agent's own and, for a gateway,
// the other one, which has a Config of its own (beyond).

// loadTLS is what the links use; nil: plaintext.
func (c Config) loadTLS() (*tls.Config, error) {
	if c.Cert == "" {
		return nil, nil
	}
	conf, err := link.LoadTLS(c.CA, c.Cert, c.CertKey)
	if err != nil {
		return nil, fmt.Errorf("%s, %s, %s: %w", c.flag("ca"), c.flag("cert"), c.flag("cert-key"), err)
	}
	if err := link.CheckTLS(conf, c.Name); err != nil {
		return nil, fmt.Errorf("%s: %w", c.flag("cert"), err)
	}
	return conf, nil
}

// openLinks takes the address for links and makes them; changed, unless it is
// nil, is told of those that come up and go down.
func (c Config) openLinks(id channel.NodeID, conf *tls.Config, changed func(link.Change)) (net.Listener, *link.Pool, error) {
	at, dial, timeout, err := c.openTransport(conf)
	if err != nil {
		return nil, nil, err
	}
	links, err := link.New(link.Config{
		ID: id, Name: c.Name, Cluster: c.Cluster, Listener: at, TLS: conf, Logger: c.Logger,
		Dial: sameTransport(c.Transport, dial), DialTimeout: timeout, Changed: changed,
	})
	if err != nil {
		at.Close()
	}
	return at, links, err
}

// newRegistry gives the registry the addresses that others reach; at is the
// links'.
func (c Config) newRegistry(id channel.NodeID, at net.Addr) (*registry.Registry, error) {
	_, port, err := net.SplitHostPort(at.String())
	if err != nil {
		return nil, err
	}
	linkHost, _, _ := net.SplitHostPort(c.Link) // Validate has split it
	if c.Advertise != "" {
		linkHost = c.Advertise
	}
	cfg := registry.Config{
		Name: c.Name, ID: id, Cluster: c.Cluster,
		Bind: c.Bind, LinkAddr: net.JoinHostPort(linkHost, port),
		Seeds: c.Join, Key: c.Key, Tags: c.transportTags(), Logger: c.Logger,
	}
	if c.Advertise != "" {
		_, bindPort, _ := net.SplitHostPort(c.Bind)
		cfg.Advertise = net.JoinHostPort(c.Advertise, bindPort)
	}
	if err := c.Network.Gossip(&cfg); err != nil {
		return nil, err
	}
	return registry.New(cfg)
}

// gossipFailure says what to do about what ended the registry.
func (c Config) gossipFailure(err error) error {
	if errors.Is(err, registry.ErrNoAdvertise) {
		return fmt.Errorf("%s %s: say with %s which address the others reach: %w", c.flag("bind"), c.Bind, c.flag("advertise"), err)
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return cannotListen(c.flag("bind"), c.Bind, err)
	}
	return err
}

// linkable is the peers that there can be links with.
func (c Config) linkable(peers []registry.Peer) []link.Peer {
	var linked []link.Peer
	for _, p := range peers {
		if p.Status != registry.Left && p.LinkAddr != "" {
			linked = append(linked, link.Peer{ID: p.ID, Name: p.Name, Addr: c.linkAddr(p)})
		}
	}
	return linked
}
