package agent

import (
	"cmp"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"kecho/agent/api"
	"kecho/agent/metrics"
	"kecho/channel"
	"kecho/channel/link"
	"kecho/channel/registry"
)

// What an agent says about itself, for the API and the metrics: snapshots of
// its parts, put together when somebody asks.

func (a *Agent) describeNode() api.Node {
	at := a.addresses()
	s := a.balancer.Stats()
	return api.Node{
		Name: a.cfg.Name, ID: a.node.ID().String(), Cluster: a.cfg.Cluster, Version: a.cfg.Version,
		Started: a.started, State: *a.state.Load(),
		Addresses: api.Addresses{HTTP: at.HTTP, Admin: at.Admin, Gossip: at.Gossip, Link: at.Link, Socket: a.cfg.Socket, AgentCheck: at.AgentCheck},
		Upstream:  a.showUpstream(s.Upstream),
		Limits:    api.Limits{Soft: s.State.Soft, Hard: max(s.State.Soft, a.cfg.HardLimit), Queue: a.cfg.Queue},
		Load: api.Load{
			Running: s.State.Running, Queued: s.State.Queued, Load: s.State.Load(),
			CPU: pointer(&a.report.cpu), Memory: pointer(&a.report.memory),
		},
		Counters: map[string]int64{
			"requests_local": int64(s.Local), "requests_forwarded": int64(s.Forwarded),
			"requests_received": int64(s.Received), "requests_rejected": int64(s.Rejected),
			"requests_straight": int64(s.Straight),
			"shed":              int64(s.Shed), "retries": int64(s.Retries), "cancels": int64(s.Cancels),
			"duplicates_dropped": int64(s.Duplicates), "rejoin_attempts": a.registry.Stats().Rejoins,
			"moves_offer": int64(s.Offers), "moves_claim": int64(s.Claims), "moves_late_claim": int64(s.LateClaims),
			"moves_unanswered": int64(s.Unanswered), "moves_grant": int64(s.Grants), "moves_push": int64(s.Pushes),
			"moves_refusal": int64(s.Refused), "moves_copy": int64(s.Copies), "moves_backup": int64(s.Backups),
			"control_messages": int64(s.Control), "ejections": int64(s.Ejections),
		},
		Connections: a.showConnections(),
	}
}

// upstreamName is the web server, as it is shown.
func (a *Agent) upstreamName() string {
	if a.cfg.Embedded {
		return inProgram
	}
	return a.cfg.Upstream
}

// pointer is what was last read of the machine; nil when nothing was.
func pointer(at *atomic.Uint64) *float64 {
	if v, ok := share(at); ok {
		return &v
	}
	return nil
}

func (a *Agent) members() []api.Member {
	links := make(map[channel.NodeID]link.LinkStats)
	for _, s := range a.links.Stats() {
		links[s.Peer] = s
	}
	sinks := make(map[channel.NodeID]channel.Sink)
	for s := range a.data.Sinks() {
		sinks[s.Node] = s
	}
	state := a.balancer.Stats().State
	load := state.Load()
	all := []api.Member{{
		Name: a.cfg.Name, ID: a.node.ID().String(), Self: true, Status: string(registry.Alive),
		Address: a.registry.Addr(), Load: &load, Capacity: state.Capacity(), Draining: state.Draining,
	}}
	for _, p := range a.registry.Peers() {
		m := api.Member{Name: p.Name, ID: p.ID.String(), Status: string(p.Status), Address: p.Addr, Link: linkOf(links[p.ID])}
		if s, ok := sinks[p.ID]; ok {
			m.Load, m.Capacity, m.Draining = loadOf(s.Attrs)
			heard := milliseconds(time.Since(s.Heard))
			m.Heard = &heard
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b api.Member) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func linkOf(s link.LinkStats) *api.Link {
	l := &api.Link{
		Up: !s.Since.IsZero(), RTT: milliseconds(s.RTT),
		Urgent: api.LinkFlow(s.Urgent), Normal: api.LinkFlow(s.Normal), Bulk: api.LinkFlow(s.Bulk),
	}
	if l.Up {
		l.Since = &s.Since
	}
	if s.LastError != nil {
		l.LastError = s.LastError.Error()
	}
	return l
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// checks are what readiness depends on.
func (a *Agent) checks() []api.Check {
	state, s := *a.state.Load(), a.balancer.Stats()
	helpers, peers := 0, 0
	for sink := range a.data.Sinks() {
		peers++
		if load, capacity, draining := loadOf(sink.Attrs); load != nil && capacity > 0 && !draining {
			helpers++
		}
	}
	linked := api.Check{Name: "peers", OK: true, Detail: fmt.Sprintf("%d linked", peers)}
	if peers == 0 {
		if why := a.whyUnlinked(); why != "" {
			linked.Detail = "none is linked; " + why
		}
	}
	checks := []api.Check{
		{Name: "http", OK: state != api.Starting},
		{Name: "draining", OK: state != api.Draining},
		a.checkUpstream(s.Upstream, helpers), linked, a.checkLeases(),
	}
	if a.gauges.HasOverflow() {
		checks = append(checks, api.Check{Name: "overflow", OK: true, Detail: a.overflowDetail()})
	}
	if a.far.gateway != nil {
		checks = append(checks, a.checkGateway())
	}
	if a.cfg.Insecure {
		checks = append(checks, api.Check{Name: "keys", OK: true, Detail: "running --insecure"})
	}
	return checks
}

// whyUnlinked says what stands between this node and its peers: the first link's
// failure where gossip has found some, else that it has not. A node that nobody is
// known to and that joins nobody is alone, and meant to be.
func (a *Agent) whyUnlinked() string {
	for _, m := range a.members() {
		if !m.Self && m.Status == string(registry.Alive) && m.Link != nil && m.Link.LastError != "" {
			return fmt.Sprintf("%s: %.200s", m.Name, m.Link.LastError)
		}
	}
	if len(a.cfg.Join) == 0 {
		return ""
	}
	return "the seeds are joined again all the time: is one of them running, with the same --key and --cluster?"
}

// snapshot is what is scraped.
func (a *Agent) snapshot() metrics.Snapshot {
	if a.balancer == nil {
		return metrics.Snapshot{} // scraped before Run
	}
	s := a.balancer.Stats()
	gossip := a.registry.Stats()
	crossed := a.gauges.Stats()
	snap := metrics.Snapshot{
		Crossings: map[string]uint64{"raised": crossed.Raised, "cancelled": crossed.Cancelled},
		Told:      map[string]uint64{"told": crossed.Told, "failed": crossed.Untold, "dropped": crossed.Dropped},
		InFlight:  s.State.Running, Queued: s.State.Queued, Soft: s.State.Soft, Websockets: s.Websockets, OverflowRaised: s.State.Overflow,
		Overflow: map[string]uint64{
			"soft_limit": s.Overflowed, "no_peer": s.NoPeer, "shed": s.Shed, "displaced": s.Displaced, "timeout": s.Timeouts, "early": s.Early,
		},
		Copies: map[string]uint64{
			"answered": s.CopiesAnswered, "busy": s.CopiesBusy, "lost": s.CopiesLost, "silent": s.CopiesSilent, "late": s.Late,
		},
		DuplicatesDropped: s.Duplicates, Cancels: s.Cancels, Control: s.Control, Wasted: s.WastedTime,
		Ejections: s.Ejections, Ejected: s.Ejected, Sick: s.State.Sick,
		UpstreamUp: s.Upstream.Up, Checks: map[string]uint64{"good": s.Upstream.Good, "bad": s.Upstream.Bad},
		Moves: map[string]uint64{
			"offer": s.Offers, "claim": s.Claims, "late_claim": s.LateClaims, "unanswered": s.Unanswered, "grant": s.Grants, "push": s.Pushes, "refusal": s.Refused, "copy": s.Copies, "backup": s.Backups,
		},
		Members: gossip.Peers[registry.Alive], RejoinAttempts: uint64(gossip.Rejoins),
	}
	snap.Leases = a.leases.shown()
	snap.Connections = a.connections()
	for _, m := range a.members() {
		if m.Self {
			continue
		}
		if m.Link != nil && m.Link.Up {
			snap.Links++
		}
		peer := metrics.Peer{Name: m.Name, Load: m.Load, HeardAge: -1}
		if m.Heard != nil {
			peer.HeardAge = time.Duration(*m.Heard * float64(time.Millisecond))
		}
		snap.Peers = append(snap.Peers, peer)
	}
	if a.far.gateway != nil {
		snap.Flows = shownFlows(a.far.gateway.Stats())
	}
	snap.Channels, snap.PerLink = a.channelFlows(), a.linkFlows()
	return snap
}
