package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"kecho/channel"
)

// Hops is how many clusters an event passes unless Config.Hops says otherwise,
// MaxHops how many that may be.
const (
	Hops    = 4
	MaxHops = channel.MaxPath
)

// MaxTypes is how many Share.Types there are at most.
const MaxTypes = channel.MaxInterestTerms

// Direction says which way a channel is shared.
type Direction int8

const (
	// Both ways.
	Both Direction = iota
	// Out is from the first cluster to the second.
	Out
	// In is from the second to the first.
	In
)

// Share is a channel that the clusters have in common.
type Share struct {
	// Channels is the channel as it is open in each of the two clusters.
	Channels [2]*channel.Channel
	// Direction is which way.
	Direction Direction
	// Types are those of the events that are forwarded. Nil: all.
	Types []channel.Type
}

// Config is what a Gateway is made of.
type Config struct {
	// Clusters are the names of the two.
	Clusters [2]string
	// Shares are what is forwarded.
	Shares []Share
	// Hops is how many clusters an event passes, each gateway counted once.
	// Zero: the constant Hops.
	Hops int
	// Logger is told what is wrong. Nil: nobody.
	Logger *slog.Logger
}

// Gateway joins two clusters while Run runs.
type Gateway struct {
	cfg   Config
	flows []*flow
}

// New checks cfg. Nothing is shared before Run.
func New(cfg Config) (*Gateway, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	g := &Gateway{cfg: cfg}
	for _, share := range cfg.Shares {
		if share.Direction != In {
			g.flows = append(g.flows, newFlow(&g.cfg, share, 0, 1))
		}
		if share.Direction != Out {
			g.flows = append(g.flows, newFlow(&g.cfg, share, 1, 0))
		}
	}
	return g, nil
}

func (cfg *Config) complete() error {
	for _, name := range cfg.Clusters {
		if name == "" || len(name) > channel.MaxName {
			return fmt.Errorf("cluster %.80q: want a name of 1 to %d bytes", name, channel.MaxName)
		}
	}
	cfg.Hops = cmp.Or(cfg.Hops, Hops)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case cfg.Clusters[0] == cfg.Clusters[1]:
		return fmt.Errorf("both clusters are called %q: give each a name of its own, or what comes back cannot be told from what comes", cfg.Clusters[0])
	case cfg.Hops < 1 || cfg.Hops > MaxHops:
		return fmt.Errorf("%d hops: want 1 to %d", cfg.Hops, MaxHops)
	case slices.ContainsFunc(cfg.Shares, func(s Share) bool { return s.Channels[0] == nil || s.Channels[1] == nil }):
		return errors.New("a share needs its channel in both clusters")
	case slices.ContainsFunc(cfg.Shares, func(s Share) bool { return len(s.Types) > MaxTypes }):
		return fmt.Errorf("a share of more than %d types: leave them out, which stands for all, or use channels of their own", MaxTypes)
	}
	return nil
}

// Run forwards until ctx is done. It is called once. Its error is always nil
// today.
func (g *Gateway) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, f := range g.flows {
		wg.Go(func() { f.run(ctx) })
	}
	wg.Wait()
	return nil
}

// FlowStats is what happened to the events of one channel in one direction.
type FlowStats struct {
	Channel  string
	From, To string // clusters

	// Wanted is what the second cluster wants, with the paths to it.
	Wanted []channel.Interest

	Forwarded   uint64 // to one node at least
	Unwanted    uint64 // nobody wanted it any more, or a filter left nobody
	Returned    uint64 // was submitted there
	Looped      uint64 // would have entered a cluster again
	Far         uint64 // had passed as many clusters as are allowed
	Late        uint64 // its deadline had passed
	Overrun     uint64 // bulk, and the flow's queue was full
	Unsent      uint64 // no link took it
	Answers     uint64 // that came back to requests
	Left        uint64 // left to another gateway between these clusters
	Queued      int    // bulk events that wait
	QueuedBytes int    // theirs
}

// Stats is what happened since New, by channel and direction.
func (g *Gateway) Stats() []FlowStats {
	var all []FlowStats
	for _, f := range g.flows {
		all = append(all, f.stats())
	}
	return all
}
