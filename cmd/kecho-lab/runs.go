package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"kecho/balancer/sim"
)

// row is one result with its ratios to the central queue, and where it stands
// in its sweep.
type row struct {
	sim.Result
	Sweep     string  `json:"sweep,omitempty"`
	XName     string  `json:"x_name,omitempty"`
	X         float64 `json:"x,omitempty"`
	Places    int     `json:"places"`
	Service   float64 `json:"service_ms"`
	RatioP99  float64 `json:"p99_ratio"`
	RatioP999 float64 `json:"p999_ratio"`
	RatioMean float64 `json:"mean_ratio"`
}

// name is the scenario, with its distribution when that is not its own.
func (r *row) name() string {
	if s, err := sim.Named(r.Scenario); err == nil && s.Dist != r.Dist {
		return r.Scenario + " " + string(r.Dist)
	}
	return r.Scenario
}

// runAll runs what is planned, some at a time, and puts each result beside the
// central queue's.
func runAll(ctx context.Context, p plan, parallel int, shown *progress) ([]row, error) {
	configs := p.configs
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	results := make([]sim.Result, len(configs))
	shown.begin(configs)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(parallel, len(configs)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(configs) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				cfg := configs[i]
				cfg.Progress = func(share float64) { shown.at(i, share) }
				r, err := sim.Run(ctx, cfg)
				if err != nil {
					cancel(fmt.Errorf("simulate %s under %s: %w", cfg.Scenario.Name, cfg.Policy, err))
					return
				}
				results[i] = r
				shown.at(i, 1)
			}
		})
	}
	wg.Wait()
	shown.end()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return p.rows(results), nil
}

// rows is the results of a plan's configs as they are to be shown.
func (p *plan) rows(results []sim.Result) []row {
	var rows []row
	run := p.run()
	for i := 0; i < len(results); i += len(run) {
		central, s := results[i], p.configs[i].Scenario
		for _, name := range p.policies {
			r := results[i+slices.Index(run, name)]
			rows = append(rows, row{
				Result: r, Sweep: s.Sweep, XName: s.XName, X: s.X, Places: s.Places, Service: 1e3 * s.Service.Seconds(),
				RatioP99: ratio(r.P99, central.P99), RatioP999: ratio(r.P999, central.P999), RatioMean: ratio(r.Mean, central.Mean),
			})
		}
	}
	return rows
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
