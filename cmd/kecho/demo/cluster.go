package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"kecho/agent"
)

// SlowFactor is how many times longer a slow server works on a request.
const SlowFactor = 4

// hotFactor is how many times what one server can do the first one gets when
// the rate is not given.
const hotFactor = 1.9

// ClusterConfig describes a cluster and what is done to it.
type ClusterConfig struct {
	// Nodes is how many web servers there are, with an agent each. Zero: 4.
	Nodes int
	// Slow is how many of them, not the first, are slower by SlowFactor.
	Slow int
	// Workers and Work are those of each web server. Zero: 4, and 38 ms.
	Workers int
	Work    time.Duration
	// Rate is how many requests a second the first one's agent gets. Zero:
	// 1.9 times what its web server can do.
	Rate float64
	// Duration is how long the load of each phase lasts. Zero: 8 s.
	Duration time.Duration
	// Logger gets the agents' log. Nil: nothing is logged.
	Logger *slog.Logger
	// Network is what all of it runs on. Nil: the system's loopback.
	Network agent.Network
	// Progress, when set, is told what is being done, about twice a second
	// while load is sent (p is nil otherwise), on Run's goroutine.
	Progress func(phase string, p *Progress)
}

// Report is what a Cluster has measured.
type Report struct {
	Nodes   int     `json:"nodes"`
	Slow    int     `json:"slow"`
	Workers int     `json:"workers"`
	Work    float64 `json:"work_ms"`
	// Capacity is how many requests a second one server, not slow, can do.
	Capacity float64 `json:"capacity_per_second"`
	Rate     float64 `json:"rate_per_second"`
	Duration float64 `json:"duration_seconds"`
	Phases   []Phase `json:"phases"`
}

// Phase is one load on the cluster.
type Phase struct {
	// Balancing says whether the agents knew of each other.
	Balancing bool `json:"balancing"`
	Result
	Servers []Server `json:"servers"`
}

// Server is what one web server did in a phase, by its own count.
type Server struct {
	Name string `json:"name"`
	Slow bool   `json:"slow"`
	WebStats
}

// Cluster is web servers with an agent each, of which the first gets all the
// load: in the first phase each agent is alone, in the second they are joined.
type Cluster struct{ cfg ClusterConfig }

// NewCluster checks cfg; it starts nothing. Errors name the command's flags.
func NewCluster(cfg ClusterConfig) (*Cluster, error) {
	if cfg.Nodes == 0 {
		cfg.Nodes = 4
	}
	if cfg.Workers == 0 {
		cfg.Workers = 4
	}
	if cfg.Work == 0 {
		cfg.Work = 38 * time.Millisecond
	}
	if cfg.Rate == 0 {
		cfg.Rate = hotFactor * cfg.capacity()
	}
	if cfg.Duration == 0 {
		cfg.Duration = 8 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Cluster{cfg: cfg}, nil
}

// capacity is how many requests a second one server can do.
func (c ClusterConfig) capacity() float64 {
	return float64(c.Workers) / c.Work.Seconds()
}

func (c ClusterConfig) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Nodes >= 2 && c.Nodes <= 32, "--nodes %d: want 2 to 32", c.Nodes)
	check(c.Slow >= 0 && c.Slow < max(c.Nodes, 1), "--slow %d: want 0 to %d, one less than --nodes: the first one is not slow", c.Slow, c.Nodes-1)
	check(c.Workers >= 1 && c.Workers <= 1000, "--workers %d: want 1 to 1000", c.Workers)
	check(c.Work > 0, "--work %v: want more than 0", c.Work)
	check(c.Rate > 0 && c.Rate <= 1e5, "--rate %v: want more than 0 and at most 100000 requests a second", c.Rate)
	check(c.Duration > 0, "--duration %v: want more than 0", c.Duration)
	return errors.Join(errs...)
}

// Run measures both phases. When it returns, all that it started has ended
// and nothing is left behind. It is called once.
func (c *Cluster) Run(ctx context.Context) (Report, error) {
	report := Report{
		Nodes: c.cfg.Nodes, Slow: c.cfg.Slow,
		Workers: c.cfg.Workers, Work: milliseconds(c.cfg.Work),
		Capacity: round(c.cfg.capacity()), Rate: round(c.cfg.Rate),
		Duration: c.cfg.Duration.Seconds(),
	}
	for _, balancing := range []bool{false, true} {
		phase, err := c.phase(ctx, balancing)
		if err != nil {
			return report, err
		}
		report.Phases = append(report.Phases, phase)
	}
	return report, nil
}

func (c *Cluster) phase(ctx context.Context, balancing bool) (Phase, error) {
	phase := Phase{Balancing: balancing}
	name := phaseName(balancing)
	c.progress(name+": starting", nil)
	a, err := c.arrange(ctx, balancing)
	if err != nil {
		return phase, err
	}
	phase.Result, err = c.measure(a, name)
	c.progress(name+": stopping", nil)
	if stopped := a.stop(); err == nil {
		err = stopped
	}
	for _, n := range a.nodes {
		phase.Servers = append(phase.Servers, Server{Name: n.name, Slow: n.slow, WebStats: n.web.Stats()})
	}
	return phase, err
}

func phaseName(balancing bool) string {
	if balancing {
		return "with balancing"
	}
	return "without balancing"
}

// measure sends the load to the first node's agent.
func (c *Cluster) measure(a *arrangement, name string) (Result, error) {
	transport := &http.Transport{DialContext: c.cfg.dial, MaxIdleConnsPerHost: 2000}
	defer transport.CloseIdleConnections()
	load, err := NewLoad(LoadConfig{
		Target:    "http://" + a.nodes[0].addresses.HTTP + "/",
		Rate:      c.cfg.Rate,
		Duration:  c.cfg.Duration,
		Transport: transport,
		Progress:  func(p Progress) { c.progress(name, &p) },
	})
	if err != nil {
		return Result{}, err
	}
	return load.Run(a.ctx)
}

func (c ClusterConfig) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if c.Network != nil {
		return c.Network.Dial(ctx, network, addr)
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

func (c ClusterConfig) listen(addr string) (net.Listener, error) {
	if c.Network != nil {
		return c.Network.Listen(addr)
	}
	return net.Listen("tcp", addr)
}

func (c *Cluster) progress(phase string, p *Progress) {
	if c.cfg.Progress != nil {
		c.cfg.Progress(phase, p)
	}
}

func round(v float64) float64 { return float64(int64(v*100+0.5)) / 100 }
