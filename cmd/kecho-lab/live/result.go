package live

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"kecho/balancer/sim"
)

// Times are response times in milliseconds. A request that had no answer in
// time counts with the whole timeout; one that was refused or failed not at
// all.
type Times struct {
	P50  float64 `json:"p50_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p999_ms"`
	Mean float64 `json:"mean_ms"`
}

// over is the times as multiples of others.
func (t Times) over(o Times) Ratios {
	return Ratios{perhaps(t.P50, o.P50), perhaps(t.P99, o.P99), perhaps(t.P999, o.P999), perhaps(t.Mean, o.Mean)}
}

// Ratios are times as multiples of a limit's.
type Ratios struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Mean float64 `json:"mean"`
}

// Result is what one run measured. Refused, Failed and Late are shares of the
// requests that were measured; what is counted from Executions on is of all.
type Result struct {
	Scenario     string  `json:"scenario"`
	Policy       string  `json:"policy"`
	Nodes        int     `json:"nodes"`
	Workers      int     `json:"workers"`
	Service      float64 `json:"service_ms"`
	Distribution string  `json:"distribution"`
	Seconds      float64 `json:"seconds"`
	Seed         uint64  `json:"seed"`
	Method       string  `json:"method"`
	Burn         bool    `json:"burn"`
	Kill         bool    `json:"kill"`

	Requests int `json:"requests"` // measured
	Times
	// Central and JSQ are what one queue for all workers, and the shortest
	// queue known perfectly, make of the same requests at no cost.
	Central    Times   `json:"central"`
	JSQ        Times   `json:"jsq"`
	PerCentral Ratios  `json:"per_central"`
	PerJSQ     Ratios  `json:"per_jsq"`
	Refused    float64 `json:"refused"`
	Failed     float64 `json:"failed"`
	Late       float64 `json:"late"`

	// Executions is how many requests a worker began, Twice how many of them
	// more than once, Wasted how many times a worker began one that its client
	// had no good answer to. In a run with Kill those that were answered with
	// 502 or not at all are Lost and not Wasted: nodes died with them.
	Executions int `json:"executions"`
	Twice      int `json:"executed_twice"`
	Wasted     int `json:"wasted"`
	Lost       int `json:"lost_with_killed"`
	// Moved is the share of executions that was not at the client's own node.
	Moved float64 `json:"moved"`
	// Messages is the agents' events per request on the data channel, Control
	// those that are not the request or the answer of one that moved: both are
	// whole in one event here.
	Messages float64 `json:"messages_per_request"`
	Control  float64 `json:"control_messages_per_request"`
	// FrontCPU is the CPU time of all agents, or of HAProxy, in microseconds a
	// request, without what they use when they have nothing to do: FrontRest,
	// as a share of one CPU.
	FrontCPU  float64 `json:"front_cpu_us_per_request"`
	FrontRest float64 `json:"front_rest_cpu"`

	Machine Machine `json:"machine"`
	// Busy says why the times are not to be trusted; nil: they are.
	Busy []string `json:"busy"`
	// Records are all requests, by when they were due.
	Records []Record `json:"-"`
}

// result works out what the records, the executions, and the gauges while there
// was no load and while there was, say.
func (r *run) result(ctx context.Context, ran []execution, resting, used gauges) (Result, error) {
	s := &r.cfg.Scenario
	res := Result{
		Scenario: s.Name, Policy: r.cfg.Policy, Nodes: r.cfg.Nodes, Workers: s.Places,
		Service: milliseconds(s.Service), Distribution: string(s.Dist), Seconds: r.cfg.Length.Seconds(), Seed: r.cfg.Seed,
		Method: r.cfg.Method, Burn: r.cfg.Burn, Kill: r.cfg.Kill, Records: r.records,
	}
	r.count(&res)
	if err := r.countExecutions(&res, ran); err != nil {
		return res, err
	}
	if err := r.replay(ctx, &res); err != nil {
		return res, err
	}
	n := float64(len(r.records))
	res.Messages = used.front.messages / n
	res.Control = max(0, used.front.messages-2*res.Moved*float64(len(ran))) / n
	res.FrontRest = resting.front.cpu.Seconds() / max(resting.passed.Seconds(), 1e-9)
	res.FrontCPU = max(0, 1e6*(used.front.cpu.Seconds()-res.FrontRest*used.passed.Seconds())/n)
	r.judge(&res, ran, used)
	return res, nil
}

// count is the clients' view.
func (r *run) count(res *Result) {
	var times []float64
	var counts [failed + 1]float64
	for i := range r.records {
		rec := &r.records[i]
		if r.arrivals[i].At < r.cfg.warm() {
			continue
		}
		res.Requests++
		o := rec.outcome(r.cfg.Timeout)
		counts[o]++
		switch o {
		case answered:
			times = append(times, rec.Took)
		case late:
			times = append(times, milliseconds(r.cfg.Timeout))
		}
	}
	res.Times = timesOf(times)
	n := float64(max(res.Requests, 1))
	res.Refused, res.Failed, res.Late = counts[refused]/n, counts[failed]/n, counts[late]/n
}

// countExecutions is the hosts' view. An answer that no worker gave is a fault
// of the bench.
func (r *run) countExecutions(res *Result, ran []execution) error {
	begun, done := make([]int, len(r.records)), make([]int, len(r.records))
	moved := 0
	for _, e := range ran {
		if e.Request < 0 || e.Request >= len(begun) {
			return fmt.Errorf("host %d worked on request %d of %d", e.Node, e.Request, len(begun))
		}
		begun[e.Request]++
		if e.Done {
			done[e.Request]++
		}
		if e.Node != r.arrivals[e.Request].Node {
			moved++
		}
	}
	for i := range r.records {
		rec := &r.records[i]
		good := rec.answeredWell()
		if good && done[i] == 0 {
			return fmt.Errorf("request %d has an answer, %d, that no worker gave", i, rec.Status)
		}
		if begun[i] > 0 {
			res.Executions++
		}
		if begun[i] > 1 {
			res.Twice++
		}
		switch {
		case good:
			res.Wasted += begun[i] - 1
		case r.cfg.Kill && (rec.Status == http.StatusBadGateway || rec.Failure == "connection"):
			res.Lost += begun[i]
		default:
			res.Wasted += begun[i]
		}
	}
	res.Moved = float64(moved) / float64(max(len(ran), 1))
	return nil
}

// replay gives the limits the same requests.
func (r *run) replay(ctx context.Context, res *Result) error {
	rec := sim.Recording{
		Arrivals: r.arrivals, Nodes: r.cfg.Nodes, Places: r.cfg.Scenario.Places,
		Timeout: r.cfg.Timeout, From: r.cfg.warm(), Seed: r.cfg.Seed,
	}
	for limit, times := range map[sim.Policy]*Times{sim.Central: &res.Central, sim.JSQ: &res.JSQ} {
		got, err := sim.Replay(ctx, limit, rec)
		if err != nil {
			return err
		}
		*times = Times{got.P50, got.P99, got.P999, got.Mean}
	}
	res.PerCentral, res.PerJSQ = res.Times.over(res.Central), res.Times.over(res.JSQ)
	return nil
}

func timesOf(times []float64) Times {
	slices.Sort(times)
	sum := 0.0
	for _, t := range times {
		sum += t
	}
	return Times{quantile(times, .5), quantile(times, .99), quantile(times, .999), sum / float64(max(len(times), 1))}
}

// quantile is sim's: of sorted values the one at the share q of them.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
