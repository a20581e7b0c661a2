package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"kecho/balancer/sim"
	"kecho/cmd/kecho-lab/alarm"
	"kecho/cmd/kecho/demo"
)

// run is one run while it goes on.
type run struct {
	cfg      Config
	arrivals []sim.Arrival
	hosts    *process
	hosting  hosting
	front    front
	records  []Record // each is written by the goroutine that ends its request
}

// settle is how long a run may take besides its length and the last client's
// timeout.
const settle = 2 * time.Minute

// Run measures one scenario under one policy. It returns the cause when ctx
// ends first. What it cannot run it says before it starts anything.
func Run(ctx context.Context, cfg Config) (Result, error) {
	if err := cfg.Check(); err != nil {
		return Result{}, err
	}
	cfg.defaults()
	arrivals, err := sim.Arrivals(cfg.simulated(cfg.Length))
	if err != nil {
		return Result{}, err
	}
	if len(arrivals) == 0 {
		return Result{}, errors.New("nothing arrives in so short a time")
	}
	r := &run{cfg: cfg, arrivals: arrivals, records: make([]Record, len(arrivals))}
	ctx, bounded := context.WithTimeoutCause(ctx, cfg.Length+cfg.Timeout+settle, errors.New("the run did not end in time"))
	defer bounded()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	defer r.stop()
	if err := r.start(ctx, fail); err != nil {
		return Result{}, err
	}
	return r.measure(ctx)
}

// start starts the hosts and the front.
func (r *run) start(ctx context.Context, failed func(error)) error {
	argv := append(slices.Clone(r.cfg.Hosts), "--nodes", strconv.Itoa(r.cfg.Nodes), "--workers", strconv.Itoa(r.cfg.Scenario.Places))
	if r.cfg.Burn {
		argv = append(argv, "--burn")
	}
	var err error
	if r.hosts, err = begin("hosts", argv, nil, failed); err != nil {
		return err
	}
	if err := r.hosts.await(ctx, func(line string) bool {
		return json.Unmarshal([]byte(line), &r.hosting) == nil && len(r.hosting.Webs) == r.cfg.Nodes
	}); err != nil {
		return err
	}
	if r.cfg.Policy == HAProxy {
		r.front = &haproxy{path: r.cfg.Proxy, webs: r.hosting.Webs, workers: r.cfg.Scenario.Places, timeout: r.cfg.Timeout, failed: failed}
	} else {
		r.front = newAgents(r.cfg, r.hosting.Webs, failed)
	}
	return r.front.start(ctx)
}

func (r *run) stop() {
	if r.front != nil {
		r.front.stop()
	}
	if r.hosts != nil {
		r.hosts.kill()
	}
}

// measure sends the load, kills what is to be killed meanwhile, and works out
// what came of it.
func (r *run) measure(ctx context.Context) (Result, error) {
	resting, err := r.rest(ctx)
	if err != nil {
		return Result{}, err
	}
	before, err := r.gaugeAll()
	if err != nil {
		return Result{}, err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var kills sync.WaitGroup
	if r.cfg.Kill {
		kills.Go(func() {
			if err := r.kills(ctx); err != nil {
				fail(err)
			}
		})
	}
	err = r.load(ctx)
	kills.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return Result{}, cause
	}
	if err != nil {
		return Result{}, err
	}
	after, err := r.gaugeAll()
	if err != nil {
		return Result{}, err
	}
	ran, err := r.executions(ctx)
	if err != nil {
		return Result{}, err
	}
	return r.result(ctx, ran, resting, after.since(before))
}

// restFor is how long the front is left alone, and then how long it is looked
// at what it uses when it has nothing to do.
const restFor = time.Second

// rest is what is used while nobody asks for anything.
func (r *run) rest(ctx context.Context) (used gauges, err error) {
	for range 2 {
		before, err := r.gaugeAll()
		if err != nil {
			return gauges{}, err
		}
		select {
		case <-time.After(restFor):
		case <-ctx.Done():
			return gauges{}, context.Cause(ctx)
		}
		after, err := r.gaugeAll()
		if err != nil {
			return gauges{}, err
		}
		used = after.since(before)
	}
	return used, nil
}

// load sends every request when it is due, and waits for the last answer.
func (r *run) load(ctx context.Context) error {
	clock, err := alarm.New()
	if err != nil {
		return err
	}
	defer clock.Close()
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 4096, IdleConnTimeout: 30 * time.Second}
	defer transport.CloseIdleConnections()
	load, err := demo.NewLoad(demo.LoadConfig{
		Target: "http://" + r.front.target(0) + "/", Method: r.cfg.Method,
		Duration: r.cfg.Length, Timeout: r.cfg.Timeout, InFlight: 20_000,
		Transport: transport,
		Sleep:     func(ctx context.Context, d time.Duration) { clock.Sleep(ctx, d) },
		Plan: func(yield func(time.Duration) bool) {
			for _, a := range r.arrivals {
				if !yield(a.At) {
					return
				}
			}
		},
		Prepare: r.prepare,
		Ended:   func(n int, e demo.Ended) { r.records[n] = record(r.arrivals[n], e) },
	})
	if err != nil {
		return err
	}
	_, err = load.Run(ctx)
	return err
}

// prepare has request n ask its node for its work.
func (r *run) prepare(n int, req *http.Request) {
	a := r.arrivals[n]
	req.URL.Host = r.front.target(a.Node)
	req.Host = req.URL.Host
	req.Header.Set(requestHeader, strconv.Itoa(n))
	req.Header.Set(workHeader, strconv.FormatInt(int64(a.Service), 10))
}

// gauges is what processes and the machine have used so far.
type gauges struct {
	at          time.Time
	passed      time.Duration // of a difference
	front       usage
	hosts, self time.Duration
	used, all   time.Duration // of the machine's CPU time
}

func (g gauges) since(b gauges) gauges {
	return gauges{
		at: g.at, passed: g.at.Sub(b.at), front: g.front.since(b.front), hosts: g.hosts - b.hosts, self: g.self - b.self,
		used: g.used - b.used, all: g.all - b.all,
	}
}

func (r *run) gaugeAll() (g gauges, err error) {
	if g.front, err = r.front.spent(); err != nil {
		return g, err
	}
	g.at, g.hosts, g.self = time.Now(), r.hosts.cpu(), cpuOf(os.Getpid())
	g.used, g.all = machineCPU()
	return g, nil
}

// executions asks the hosts what their workers did, once all are free.
func (r *run) executions(ctx context.Context) ([]execution, error) {
	var all executions
	err := poll(ctx, func() error {
		all = executions{}
		if err := r.control(ctx, http.MethodGet, "/executions", &all); err != nil {
			return err
		}
		if all.Running > 0 {
			return fmt.Errorf("%d workers are busy after every client has its answer or has gone", all.Running)
		}
		return nil
	})
	return all.Ran, err
}

// control asks the hosts' process.
func (r *run) control(ctx context.Context, method, path string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+r.hosting.Control+path, nil)
	if err != nil {
		return err
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the hosts: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the hosts: %s %s: %s", method, path, res.Status)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(answer)
}
