package agent

import (
	"fmt"

	"kecho/agent/api"
	"kecho/agent/metrics"
	"kecho/balancer/clients"
)

const (
	// mostConnections is how many clients' connections there may be where the
	// system allows it.
	mostConnections = 10_000
	// reserved is how many descriptors are left for links, gossip, the API and
	// files. The web server's connections have theirs besides.
	reserved = 256
)

// makeClients makes the table of clients' connections.
func (a *Agent) makeClients() error {
	most, err := a.cfg.connections(openFiles())
	if err != nil {
		return err
	}
	a.clients = clients.New(clients.Config{
		Most: most, PerAddress: a.cfg.ConnectionsPerAddress, Exempt: a.cfg.Trust, Logger: a.log,
	})
	return nil
}

// connections is how many clients' connections there may be where the process
// may have files of them open at once; 0: nobody knows how many.
func (c Config) connections(files uint64) (int, error) {
	if files == 0 {
		return max(c.Connections, 0), nil
	}
	kept := uint64(reserved + max(c.HardLimit, c.SoftLimitMax))
	room := files / 2 // of next to nothing the half
	if files > 2*kept {
		room = files - kept
	}
	switch {
	case c.Connections == 0:
		return int(min(room, mostConnections)), nil
	case uint64(c.Connections) > room:
		return 0, fmt.Errorf("--connections %d: this process may have %d files open, of which %d can be clients' connections; raise the limit (LimitNOFILE of systemd, ulimit -n), or say less",
			c.Connections, files, room)
	}
	return c.Connections, nil
}

// connections is what is scraped of clients' connections.
func (a *Agent) connections() metrics.Connections {
	s := a.clients.Stats()
	return metrics.Connections{
		Open: s.Open, Busy: s.Busy, Most: s.Most, Accepted: s.Accepted, Limited: limited(s),
	}
}

// limited is how often each limit was met, by the metrics' names.
func limited(s clients.Stats) map[string]uint64 {
	return map[string]uint64{
		"address": s.Refused, "room": s.Closed, "busy": s.Waited, "files": s.Starved, "flood": s.Flooded,
	}
}

// showConnections is what the API says of them.
func (a *Agent) showConnections() api.Connections {
	if a.cfg.Embedded { // they are the program's, and so are their limits
		return api.Connections{Limited: make(map[string]int64)}
	}
	s := a.clients.Stats()
	c := api.Connections{Open: s.Open, Busy: s.Busy, Most: s.Most, PerAddress: a.cfg.ConnectionsPerAddress, Limited: make(map[string]int64)}
	for reason, n := range limited(s) {
		c.Limited[reason] = int64(n)
	}
	return c
}
