package main

import (
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"kecho/balancer/policy"
	"kecho/balancer/sim"
)

// mostNodes is how many nodes are simulated at most: what they know of each
// other is in memory.
const mostNodes = 10_000

// checkFigures names the flag whose figure no simulation can have.
func checkFigures(c *cli.Context) error {
	switch {
	case c.Int("nodes") < 1 || c.Int("nodes") > mostNodes:
		return usagef("--nodes %d: want at least 1 and at most %d", c.Int("nodes"), mostNodes)
	case !(c.Float64("seconds") > 0 && c.Float64("seconds") <= 1e6):
		return usagef("--seconds %v: want more than 0 and at most 1000000", c.Float64("seconds"))
	case !(c.Float64("loss") >= 0 && c.Float64("loss") < 1):
		return usagef("--loss %v: want a share from 0 to below 1", c.Float64("loss"))
	case c.IsSet("places") && c.Int("places") < 1:
		return usagef("--places %d: want at least 1", c.Int("places"))
	case c.IsSet("service") && c.Duration("service") <= 0:
		return usagef("--service %v: want more than 0", c.Duration("service"))
	case c.Duration("delay") <= 0:
		return usagef("--delay %v: want more than 0", c.Duration("delay"))
	case c.Duration("reports") < 0:
		return usagef("--reports %v: want 0 or more", c.Duration("reports"))
	case c.Duration("message-cost") <= 0:
		return usagef("--message-cost %v: want more than 0", c.Duration("message-cost"))
	case c.Int("parallel") < 1:
		return usagef("--parallel %d: want at least 1", c.Int("parallel"))
	}
	return nil
}

// plan is what is simulated: each scenario under each policy.
type plan struct {
	configs  []sim.Config // of one scenario after the other, the central queue first
	policies []sim.Policy // as they are to be shown
}

// wanted is the runs that the flags name.
func wanted(c *cli.Context) (plan, error) {
	scenarios, err := wantedScenarios(c)
	if err != nil {
		return plan{}, err
	}
	policies, err := wantedPolicies(c, scenarios)
	if err != nil {
		return plan{}, err
	}
	copies, err := wantedCopies(c)
	if err != nil {
		return plan{}, err
	}
	p := plan{policies: policies}
	for _, s := range scenarios {
		for _, name := range p.run() {
			cfg := sim.Config{
				Scenario: s, Policy: name, Nodes: c.Int("nodes"), Seconds: c.Float64("seconds"), Delay: c.Duration("delay"),
				Loss: c.Float64("loss"), Reports: c.Duration("reports"), Seed: c.Uint64("seed"), MessageCost: c.Duration("message-cost"),
				Copies: copies, Unbounded: c.Bool("unbounded"),
			}
			if err := cfg.Check(); err != nil {
				return plan{}, usagef("%s under %s: %v", s.Name, name, err)
			}
			p.configs = append(p.configs, cfg)
		}
	}
	return p, nil
}

// wantedCopies is how requests are copied.
func wantedCopies(c *cli.Context) (policy.Copies, error) {
	ends, ok := policy.EndingNamed(c.String("cancel"))
	if !ok {
		return policy.Copies{}, usagef("--cancel %q: want complete, start or none", c.String("cancel"))
	}
	return policy.Copies{Most: c.Int("copies"), Cancel: ends}, nil
}

// run is the policies that each scenario is simulated under.
func (p *plan) run() []sim.Policy {
	return unique(slices.Concat([]sim.Policy{sim.Central}, p.policies))
}

func policyNames() string {
	var names []string
	for _, p := range sim.Policies() {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}

// wantedPolicies is the policies; for nothing but the paper's figures they are
// what the paper compares, and auto.
func wantedPolicies(c *cli.Context, scenarios []sim.Scenario) (policies []sim.Policy, err error) {
	paper := !slices.ContainsFunc(scenarios, func(s sim.Scenario) bool { return !strings.HasPrefix(s.Sweep, "figure-") })
	if paper && !c.IsSet("policy") {
		return []sim.Policy{sim.None, sim.Paper, sim.Auto}, nil
	}
	for _, name := range c.StringSlice("policy") {
		switch p := sim.Policy(name); {
		case name == "all":
			policies = append(policies, sim.Policies()...)
		case slices.Contains(sim.Policies(), p):
			policies = append(policies, p)
		default:
			return nil, usagef("there is no policy %q; there are %s", name, policyNames())
		}
	}
	return unique(policies), nil
}

// wantedScenarios is the scenarios, each with every distribution.
func wantedScenarios(c *cli.Context) (scenarios []sim.Scenario, err error) {
	kinds, err := distributions(c.StringSlice("distribution"))
	if err != nil {
		return nil, err
	}
	for _, name := range c.StringSlice("scenario") {
		list, err := sim.Select(name)
		if err != nil {
			return nil, usagef("%v", err)
		}
		for _, s := range list {
			if c.IsSet("places") {
				s.Places = c.Int("places")
			}
			if c.IsSet("service") {
				s.Service = c.Duration("service")
			}
			if len(kinds) == 0 {
				scenarios = append(scenarios, s)
			}
			for _, s.Dist = range kinds {
				scenarios = append(scenarios, s)
			}
		}
	}
	return scenarios, nil
}

func distributions(names []string) (kinds []sim.Dist, err error) {
	all := []sim.Dist{sim.Fixed, sim.Exponential, sim.Lognormal, sim.Bimodal}
	for _, name := range names {
		switch {
		case name == "all":
			kinds = append(kinds, all...)
		case slices.Contains(all, sim.Dist(name)):
			kinds = append(kinds, sim.Dist(name))
		default:
			return nil, usagef("there is no distribution %q; there are fixed, exponential, lognormal, bimodal, and all", name)
		}
	}
	return unique(kinds), nil
}

// unique leaves out what was there before.
func unique[T comparable](list []T) (once []T) {
	for _, x := range list {
		if !slices.Contains(once, x) {
			once = append(once, x)
		}
	}
	return once
}

// makeDir makes the directory for plots, before anything is simulated for them.
func makeDir(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return usagef("--plot: make the directory: %v", err)
	}
	return nil
}
