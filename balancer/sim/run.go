package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"kecho/balancer/policy"
)

// Policy is who decides; see the package's documentation.
type Policy string

// The policies.
const (
	None        Policy = "none"
	Paper       Policy = "paper"
	Push        Policy = "push"
	Offers      Policy = "offers"
	Auto        Policy = "auto"
	Race        Policy = "race"
	Hedge       Policy = "hedge"
	Speculative Policy = "speculative"
	P2C         Policy = "p2c"
	Least       Policy = "least"
	JSQ         Policy = "jsq"
	Central     Policy = "central"
)

// Policies is all of them.
func Policies() []Policy {
	return []Policy{None, Paper, Push, Offers, Auto, Race, Hedge, Speculative, P2C, Least, JSQ, Central}
}

// Config is one run. Its zero values work but for Scenario and Policy.
type Config struct {
	Scenario Scenario
	Policy   Policy
	// Nodes. Zero: 8.
	Nodes int
	// Seconds of simulated time. Zero: 120. The first tenth is not measured.
	Seconds float64
	// Delay of a message, one way. Zero: 500 µs.
	Delay time.Duration
	// Loss is the share of control messages and grants that get lost.
	Loss float64
	// Reports is how often nodes tell each other their load besides what rides
	// on messages. Zero: never; but every second with Paper, P2C and Least.
	Reports time.Duration
	// MessageCost is the CPU time of a message, sent or received. Zero: 10 µs,
	// which is policy.Config's.
	MessageCost time.Duration
	// Timeout is how long a client waits. Zero: 5 s.
	Timeout time.Duration
	// Copies of requests under Paper, Race and Hedge.
	Copies policy.Copies
	// Unbounded lifts the budgets of copies, to show what they are for.
	Unbounded bool
	// Seed of the random streams.
	Seed uint64
	// Progress, when set, is called now and then with the share that is done.
	Progress func(share float64)
}

func (cfg Config) length() time.Duration { return time.Duration(cfg.Seconds * float64(time.Second)) }

// reports is how often loads are reported; zero: never.
func (cfg *Config) reports() time.Duration { return cmp.Or(cfg.Scenario.Reports, cfg.Reports) }

func (cfg *Config) defaults() {
	cfg.Scenario.defaults()
	if cfg.Nodes == 0 {
		cfg.Nodes = 8
	}
	if cfg.Seconds == 0 {
		cfg.Seconds = 120
	}
	if cfg.Delay == 0 {
		cfg.Delay = 500 * time.Microsecond
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.Reports == 0 && (cfg.Policy == Paper || cfg.Policy == P2C || cfg.Policy == Least) {
		cfg.Reports = time.Second
	}
	if cfg.MessageCost == 0 {
		cfg.MessageCost = 10 * time.Microsecond
	}
}

// Check says what is wrong with the configuration.
func (cfg Config) Check() error {
	cfg.defaults()
	switch {
	case cfg.Nodes < 1:
		return errors.New("there is no node")
	case !(cfg.Seconds > 0) || cfg.Seconds > 1e6:
		return errors.New("the time is not above 0, or over 1e6 s")
	case !(cfg.Loss >= 0 && cfg.Loss < 1):
		return errors.New("the loss is not in [0, 1)")
	case cfg.Delay < 0 || cfg.Reports < 0 || cfg.Timeout < 0 || cfg.MessageCost < 0:
		return errors.New("a time is below 0")
	case !(cfg.Scenario.Base > 0) || cfg.Scenario.Service <= 0 || cfg.Scenario.Places < 1:
		return errors.New("the scenario has no load, no service or no place")
	case !slices.Contains(Policies(), cfg.Policy):
		return fmt.Errorf("there is no policy %q; there are %v", cfg.Policy, Policies())
	}
	if _, ours := policy.ModeNamed(string(cfg.Policy)); ours {
		return cfg.core().Check()
	}
	return nil
}

// cluster is the servers under one policy.
type cluster interface {
	// arrive takes a client's request.
	arrive(j *job)
	// handle does what was planned.
	handle(e event)
}

// Run simulates. It returns the cause when ctx ends first.
func Run(ctx context.Context, cfg Config) (Result, error) {
	if err := cfg.Check(); err != nil {
		return Result{}, err
	}
	cfg.defaults()
	w := &world{cfg: cfg, clients: newSource(cfg), faults: stream(cfg.Seed, "faults"),
		warm: cfg.length() / 10, until: cfg.length() + 2*cfg.Timeout}
	var c cluster
	switch cfg.Policy {
	case Central, JSQ:
		c = newIdeal(w)
	case P2C, Least:
		c = newInformed(w)
	default:
		c = newCores(w)
	}
	if err := w.run(ctx, c); err != nil {
		return Result{}, err
	}
	r := w.result()
	if cores, ok := c.(*cores); ok {
		r.addCounts(cores.counts(), w.requests)
		r.Drawn = float64(cores.drawn()) / float64(max(w.requests, 1))
		r.Learned = cores.places()
	}
	r.addCost(&w.cfg, w.requests)
	return r, nil
}

// core is the configuration of every node's core: the modes are called as the
// policies are. Nodes that nobody helps, or late, have a queue without an end:
// shedding, and giving up what comes too late, would flatter them.
func (cfg *Config) core() policy.Config {
	core := policy.Config{Places: cfg.Scenario.Places, Timeout: cfg.Timeout, MessageCost: cfg.MessageCost, Copies: cfg.Copies}
	core.Mode, _ = policy.ModeNamed(string(cfg.Policy))
	if cfg.Scenario.Limit > 0 {
		core.Places, core.MaxPlaces = cfg.Scenario.Limit, cfg.Scenario.Learn
	}
	if cfg.Policy == None || cfg.Policy == Paper {
		core.Queue, core.ShedAge = 1<<20, policy.Endless
	}
	if cfg.Scenario.Copies > 0 {
		core.Copies.Most = cfg.Scenario.Copies
	}
	if cfg.Unbounded || cfg.Scenario.Copies > 0 {
		core.Budget = policy.Budget{Share: float64(core.Copies.Most) + 10, Rate: 1e6, Burst: 1e9}
		core.Copies.Share = 1
	}
	return core
}
