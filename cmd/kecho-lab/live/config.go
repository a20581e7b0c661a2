package live

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"kecho/balancer/policy"
	"kecho/balancer/sim"
)

// Policies that are not the agents' own.
const (
	// Alone is agents that do not know of each other.
	Alone = string(sim.None)
	// HAProxy is one HAProxy in place of the agents, with maxconn at each
	// host's workers: one queue before all of them.
	HAProxy = "haproxy"
)

// Config is one run. Its zero values work but for Scenario, Policy, Hosts and
// what the policy needs.
type Config struct {
	// Scenario is who arrives when; its Places are the hosts' workers. Those
	// with speeds, with a black hole or with a death cannot be run: see Check.
	Scenario sim.Scenario
	// Policy is Alone, HAProxy, or what the agents are told by --policy.
	Policy string
	// Kecho is the path of the agents' program, Proxy of HAProxy.
	Kecho, Proxy string
	// Hosts is the command that calls Host; its flags --nodes, --workers and
	// --burn follow.
	Hosts []string
	// Nodes. Zero: 8.
	Nodes int
	// Length is how long requests are sent. Zero: 30 s. The first tenth is not
	// measured.
	Length time.Duration
	// Timeout is how long a client waits. Zero: 5 s.
	Timeout time.Duration
	// Method of the requests. Zero: POST, which is never sent twice.
	Method string
	// Burn has workers use CPU.
	Burn bool
	// Kill ends the agent and the host of one node during the run, later the
	// agent alone of another, and starts them again.
	Kill bool
	// Seed of the arrivals and services.
	Seed uint64
	// Note, when set, is told what is done to the nodes, on any goroutine.
	Note func(what string)
}

func (cfg *Config) defaults() {
	if cfg.Nodes == 0 {
		cfg.Nodes = 8
	}
	if cfg.Length == 0 {
		cfg.Length = 30 * time.Second
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.Method == "" {
		cfg.Method = http.MethodPost
	}
	if cfg.Note == nil {
		cfg.Note = func(string) {}
	}
}

// Check says what is wrong with the configuration.
func (cfg Config) Check() error {
	cfg.defaults()
	s := &cfg.Scenario
	switch {
	case cfg.Nodes < 1 || cfg.Nodes > 64:
		return errors.New("want 1 to 64 nodes: they share one machine")
	case cfg.Length < time.Second || cfg.Length > time.Hour:
		return errors.New("want a length from 1 s to 1 h")
	case cfg.Timeout < 0:
		return errors.New("the timeout is below 0")
	case len(s.Speeds) > 0 || s.Hole || s.Death:
		return fmt.Errorf("scenario %s cannot be run before real servers: one is slower than others, or breaks; for deaths there is --kill", s.Name)
	case cfg.Kill && cfg.Policy == HAProxy:
		return errors.New("--kill kills agents, and there are none with haproxy")
	case cfg.Kill && cfg.Nodes < 2:
		return errors.New("--kill needs 2 nodes or more")
	}
	if _, ok := policy.ModeNamed(cfg.Policy); !ok && cfg.Policy != HAProxy {
		return fmt.Errorf("there is no policy %q; there are %s and those of kecho agent --policy", cfg.Policy, HAProxy)
	}
	_, err := sim.Arrivals(cfg.simulated(time.Second))
	return err
}

// simulated is the run as the simulator knows it.
func (cfg Config) simulated(length time.Duration) sim.Config {
	return sim.Config{
		Scenario: cfg.Scenario, Policy: sim.Central, Nodes: cfg.Nodes,
		Seconds: length.Seconds(), Timeout: cfg.Timeout, Seed: cfg.Seed,
	}
}

// warm is from when on it is measured.
func (cfg Config) warm() time.Duration { return cfg.Length / 10 }
