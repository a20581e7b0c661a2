package agent

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"kecho/agent/api"
	"kecho/agent/metrics"
	"kecho/channel"
	"kecho/channel/gateway"
	"kecho/channel/link"
	"kecho/channel/registry"
)

// farSide is a gateway's node in the other cluster, and what it shares.
type farSide struct {
	cfg     Config // of that node
	id      channel.NodeID
	at      net.Addr // of the links
	links   *link.Pool
	node    *channel.Node
	gateway *gateway.Gateway // nil: the agent is no gateway

	registry atomic.Pointer[registry.Registry] // of this moment; nil: none could be made
	failed   atomic.Pointer[string]            // why it is no member there; nil: it is one, or will be
}

// rejoinAfter is how long a gateway waits that may not be a member of the other
// cluster, until it tries again.
const rejoinAfter = 5 * time.Second

// makeGateway makes the node in the other cluster, and opens in both what is
// shared.
func (a *Agent) makeGateway() (err error) {
	g := &a.far
	cfg, ok := a.cfg.beyond()
	if !ok {
		return nil
	}
	g.cfg, g.id = cfg, channel.NewNodeID()
	if a.socket.far, g.links, err = cfg.openLinks(g.id, a.farTLS, nil); err != nil {
		return err
	}
	g.at = a.socket.far.Addr()
	// It knows its peers by their links alone, so that gossip can begin anew.
	if g.node, err = channel.New(channel.Config{ID: g.id, Links: g.links, Logger: a.log}); err != nil {
		return err
	}
	both := gateway.Config{Clusters: [2]string{a.cfg.Cluster, cfg.Cluster}, Hops: a.cfg.Gateway.Hops, Logger: a.log}
	for _, text := range a.cfg.Gateway.Share {
		s, err := parseShare(text)
		if err != nil {
			return err // Validate has read it
		}
		here, err := a.channels.Share(s.name)
		if err != nil {
			return err
		}
		there, err := g.node.Open(s.name)
		if err != nil {
			return err
		}
		both.Shares = append(both.Shares, gateway.Share{Channels: [2]*channel.Channel{here, there}, Direction: s.direction, Types: s.types})
	}
	g.gateway, err = gateway.New(both)
	return err
}

// runGateway is a member of the other cluster and forwards, until ctx is done.
// Whatever fails there is logged and shown; the agent goes on.
func (a *Agent) runGateway(ctx context.Context) error {
	g := &a.far
	if g.gateway == nil {
		<-ctx.Done()
		return nil
	}
	err := runLayers(ctx, []layer{
		{"links", g.node.Run},
		{"gossip", g.runGossip},
		{"gateway", g.gateway.Run},
	}, func(error) {})
	if err != nil {
		g.fail(err)
		<-ctx.Done()
	}
	return nil
}

func (g *farSide) fail(err error) {
	text := err.Error()
	g.failed.Store(&text)
	g.cfg.Logger.Warn("the gateway is no member of the other cluster", "cluster", g.cfg.Cluster, "err", err)
}

// runGossip is a member of the other cluster, again and again when it may not be
// one, until ctx is done.
func (g *farSide) runGossip(ctx context.Context) error {
	for {
		err := g.gossip(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			g.fail(g.cfg.gossipFailure(err))
		}
		select {
		case <-time.After(rejoinAfter):
		case <-ctx.Done():
			return nil
		}
		g.failed.Store(nil)
	}
}

// gossip is one life of the registry.
func (g *farSide) gossip(ctx context.Context) error {
	r, err := g.cfg.newRegistry(g.id, g.at)
	if err != nil {
		return err
	}
	g.registry.Store(r)
	watch, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		_ = r.WatchPeers(watch, func(peers []registry.Peer) { g.links.SetPeers(g.cfg.linkable(peers)) }) // nil with ctx
	}()
	err = r.Run(ctx)
	stop()
	<-watched
	return err
}

// members is how many other nodes gossip believes alive in the other cluster, and
// how many of all have a link.
func (g *farSide) members() (alive, linked int) {
	if r := g.registry.Load(); r != nil {
		alive = r.Stats().Peers[registry.Alive]
	}
	for _, l := range g.links.Stats() {
		if !l.Since.IsZero() {
			linked++
		}
	}
	return alive, linked
}

// describeGateway is what the API has; nil: the agent is no gateway.
func (a *Agent) describeGateway() *api.Gateway {
	g := &a.far
	if g.gateway == nil {
		return nil
	}
	shown := &api.Gateway{
		Clusters: [2]string{a.cfg.Cluster, g.cfg.Cluster}, Name: g.cfg.Name, ID: g.id.String(), Link: g.at.String(),
	}
	shown.Members, shown.Linked = g.members()
	if r := g.registry.Load(); r != nil {
		shown.Gossip = r.Addr()
	}
	if why := g.failed.Load(); why != nil {
		shown.Error = *why
	}
	for _, s := range g.gateway.Stats() {
		shown.Flows = append(shown.Flows, flowOf(s))
	}
	return shown
}

func flowOf(s gateway.FlowStats) api.Flow {
	f := api.Flow{
		Channel: s.Channel, From: s.From, To: s.To, Wanted: []api.Wanted{},
		Forwarded: s.Forwarded, Answers: s.Answers, Left: s.Left, Queued: s.Queued, QueuedBytes: s.QueuedBytes,
		Dropped: map[string]uint64{
			"unwanted": s.Unwanted, "returned": s.Returned, "looped": s.Looped, "far": s.Far, "late": s.Late, "overrun": s.Overrun, "unsent": s.Unsent,
		},
	}
	for _, in := range s.Wanted {
		w := api.Wanted{Path: in.Path, Terms: []api.Term{}}
		for _, m := range in.Terms {
			t := api.Term{Type: string(m.Type)}
			if m.Source != 0 {
				t.Source = m.Source.String()
			}
			w.Terms = append(w.Terms, t)
		}
		f.Wanted = append(f.Wanted, w)
	}
	return f
}

// checkGateway is what readiness says of the other cluster. It is always well:
// this node serves without it.
func (a *Agent) checkGateway() api.Check {
	g := a.describeGateway()
	check := api.Check{Name: "gateway", OK: true, Detail: fmt.Sprintf("%d linked in %s", g.Linked, g.Clusters[1])}
	switch {
	case g.Error != "":
		check.Detail = "it is no member of " + g.Clusters[1] + ", and tries again: " + g.Error
	case g.Linked == 0:
		check.Detail = "nobody of " + g.Clusters[1] + " is linked; its seeds are joined again all the time: is one of them running, with the same --gateway-key and as --cluster " + g.Clusters[1] + "?"
	}
	return check
}

// shownFlows is what is scraped of them.
func shownFlows(all []gateway.FlowStats) (flows []metrics.Flow) {
	for _, s := range all {
		f := flowOf(s)
		f.Dropped["forwarded"], f.Dropped["left"] = s.Forwarded, s.Left
		flows = append(flows, metrics.Flow{Channel: s.Channel, From: s.From, To: s.To, Events: f.Dropped, Queued: s.Queued})
	}
	return flows
}
