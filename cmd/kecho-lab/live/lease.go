package live

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// LeaseConfig is a measurement of leases. Its zero values work but for Kecho,
// and for Etcd where that is wanted.
type LeaseConfig struct {
	// Kecho is the path of the agents' program; Etcd of etcd's, "": without it.
	Kecho, Etcd string
	// Nodes is how many agents there are, in a cluster after the other. Zero:
	// one cluster of 3.
	Nodes []int
	// Managers is how many of a cluster's agents have something to give. Zero:
	// all.
	Managers int
	// Clients is how many ask at once, in one measurement after the other; they
	// ask the nodes in turn. Zero: one.
	Clients []int
	// Members is how many members the etcd clusters beside have. Zero: 1 and 3.
	Members []int
	// Length is how long each is asked in each measurement. Zero: 10 s.
	Length time.Duration
	// Fill is how many leases one agent, and one member, are given for their
	// memory and their restart. Zero: that is not looked at.
	Fill int
	// Dir is on whose disk the journals are; directories are made in it and
	// removed. Zero: os.TempDir.
	Dir string
	// Note, when set, is told what is done next.
	Note func(what string)
}

func (cfg *LeaseConfig) defaults() {
	if len(cfg.Nodes) == 0 {
		cfg.Nodes = []int{3}
	}
	if len(cfg.Clients) == 0 {
		cfg.Clients = []int{1}
	}
	if len(cfg.Members) == 0 {
		cfg.Members = []int{1, 3}
	}
	if cfg.Length == 0 {
		cfg.Length = 10 * time.Second
	}
	if cfg.Dir == "" {
		cfg.Dir = os.TempDir()
	}
	if cfg.Note == nil {
		cfg.Note = func(string) {}
	}
}

// maxFill is how many leases a manager bears.
const maxFill = 100_000

// Check says what is wrong with the configuration.
func (cfg LeaseConfig) Check() error {
	cfg.defaults()
	for _, n := range cfg.Nodes {
		if n < 1 || n > 64 {
			return fmt.Errorf("%d nodes: want 1 to 64: they share one machine", n)
		}
		if cfg.Managers > n {
			return fmt.Errorf("%d managers on %d nodes: want at most one on each", cfg.Managers, n)
		}
	}
	for _, n := range cfg.Clients {
		if n < 1 || n > 500 {
			return fmt.Errorf("%d clients: want 1 to 500", n)
		}
	}
	for _, n := range cfg.Members {
		if n < 1 || n > 7 {
			return fmt.Errorf("%d members of etcd: want 1 to 7", n)
		}
	}
	switch {
	case cfg.Managers < 0:
		return errors.New("fewer than 0 managers")
	case cfg.Length < time.Second || cfg.Length > time.Hour:
		return errors.New("want a length from 1 s to 1 h")
	case cfg.Fill < 0 || cfg.Fill > maxFill:
		return fmt.Errorf("fill with %d leases: want 0 to %d, which is what a manager bears", cfg.Fill, maxFill)
	}
	return nil
}

// Leases measures how long leases take, beside etcd if that is wanted. It
// returns the cause when ctx ends first.
func Leases(ctx context.Context, cfg LeaseConfig) (LeaseResult, error) {
	if err := cfg.Check(); err != nil {
		return LeaseResult{}, err
	}
	cfg.defaults()
	dir, err := os.MkdirTemp(cfg.Dir, "kecho-bench-")
	if err != nil {
		return LeaseResult{}, fmt.Errorf("make a directory for journals: %w", err)
	}
	defer os.RemoveAll(dir)
	cfg.Dir = dir
	var res LeaseResult
	if inMemory(dir) {
		res.Busy = append(res.Busy, "the journals are in memory (tmpfs), where a write to the disk costs nothing")
	}
	for _, nodes := range cfg.Nodes {
		rows, err := compareLeases(ctx, cfg, nodes)
		if err != nil {
			return LeaseResult{}, fmt.Errorf("%d nodes: %w", nodes, err)
		}
		res.Runs = append(res.Runs, rows...)
	}
	if cfg.Fill > 0 {
		if res.Fills, err = fillAll(ctx, cfg); err != nil {
			return LeaseResult{}, fmt.Errorf("fill with %d leases: %w", cfg.Fill, err)
		}
	}
	return res, nil
}

// leaser is who gives leases: a cluster of agents, or of etcd's members.
type leaser interface {
	start(ctx context.Context) error
	// taker is the way of client i, over a connection of its own.
	taker(i int) taker
	processes() []*process
	stop()
}

// taker takes and gives back one lease at a time.
type taker interface {
	// take is done when the client has the lease; the name is its own.
	take(ctx context.Context, holder string) (lease string, err error)
	release(ctx context.Context, lease, holder string) error
	// lives is nil when the lease is known.
	lives(ctx context.Context, lease string) error
	close()
}

// compareLeases measures one size of cluster with each number of clients.
func compareLeases(ctx context.Context, cfg LeaseConfig, nodes int) ([]LeaseRun, error) {
	length := time.Duration(len(cfg.Clients)*(1+len(cfg.Members))) * cfg.Length
	ctx, bounded := context.WithTimeoutCause(ctx, length+settle, errors.New("the run did not end in time"))
	defer bounded()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	all := []contender{{"kecho", newLeaseAgents(cfg, nodes, fail)}}
	if cfg.Etcd != "" {
		for _, members := range cfg.Members {
			all = append(all, contender{fmt.Sprint("etcd-", members), newEtcd(cfg, members, fail)})
		}
	}
	for _, c := range all {
		defer c.stop()
		if err := c.start(ctx); err != nil {
			return nil, fmt.Errorf("start %s: %w", c.name, err)
		}
	}
	var rows []LeaseRun
	for _, clients := range cfg.Clients {
		cfg.Note(fmt.Sprintf("%d nodes, %d clients, %.0f s each", nodes, clients, cfg.Length.Seconds()))
		t := &turns{all: all, clients: clients, length: cfg.Length, dir: cfg.Dir}
		row, err := t.run(ctx)
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		if err != nil {
			return nil, err
		}
		row.Nodes, row.Managers = nodes, cfg.managers(nodes)
		rows = append(rows, row)
	}
	return rows, nil
}

func (cfg *LeaseConfig) managers(nodes int) int {
	if cfg.Managers == 0 {
		return nodes
	}
	return cfg.Managers
}

// contender is a leaser and what it is called.
type contender struct {
	name string
	leaser
}
