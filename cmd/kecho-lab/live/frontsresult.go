package live

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"
)

// FrontsResult is what Fronts measured; a part that was not is empty.
type FrontsResult struct {
	CPU        []FrontCost      `json:"cpu,omitempty"`
	Latency    []FrontLatency   `json:"latency,omitempty"`
	Idle       []FrontIdle      `json:"idle,omitempty"`
	Bytes      []FrontBytes     `json:"bytes,omitempty"`
	Forwarded  *FrontForwarded  `json:"forwarded,omitempty"`
	Middleware *FrontMiddleware `json:"middleware,omitempty"`
	// Busy is why figures should not be trusted, with the part.
	Busy []string `json:"busy,omitempty"`
}

// Spread is a figure as a multiple of another's, over all turns, and the least and
// the most of turns beside each other. Zero: the other was not measured.
type Spread struct {
	Ratio float64 `json:"ratio"`
	Least float64 `json:"least"`
	Most  float64 `json:"most"`
}

// FrontCost is what a request costs one front on the local path.
type FrontCost struct {
	Name      string  `json:"name"`
	Requests  int     `json:"requests"`
	PerSecond float64 `json:"requests_per_second"`
	// CPU is in microseconds a request.
	CPU     float64 `json:"cpu_us"`
	HAProxy Spread  `json:"x_haproxy"`
	Reverse Spread  `json:"x_reverseproxy"`
}

// FrontLatency is the time of requests through one front, in microseconds: the
// median of the turns' own. Added is what it is more than with no front.
type FrontLatency struct {
	Name     string  `json:"name"`
	Requests int     `json:"requests"`
	P50      float64 `json:"p50_us"`
	P99      float64 `json:"p99_us"`
	AddedP50 float64 `json:"added_p50_us"`
	AddedP99 float64 `json:"added_p99_us"`
	// X are the added times as multiples of HAProxy's; 0: it was not measured.
	X50 float64 `json:"x_haproxy_p50"`
	X99 float64 `json:"x_haproxy_p99"`
}

// FrontIdle is what idle connections cost one front.
type FrontIdle struct {
	Name string `json:"name"`
	Idle int    `json:"idle"`
	// KiB is the memory of one, Lost how many were gone in the end.
	KiB  float64 `json:"kib_each"`
	Lost int     `json:"lost"`
	// Throughput and CPU are those of 100 busy connections beside them, as
	// multiples of the same without.
	Throughput Spread `json:"throughput"`
	CPU        Spread `json:"cpu"`
}

// FrontBytes is what a long answer costs one front.
type FrontBytes struct {
	Name string `json:"name"`
	// CPU is in nanoseconds a KiB, Growth the most that its memory grew while
	// one went through, in MiB.
	CPU    float64 `json:"cpu_ns_per_kib"`
	Relay  Spread  `json:"x_relay"`
	Growth float64 `json:"growth_mib"`

	cpu []float64 // nanoseconds a byte, of each turn
}

// FrontForwarded is what a request costs two agents together that the other one
// serves.
type FrontForwarded struct {
	Requests int     `json:"requests"`
	Local    float64 `json:"local_cpu_us"`
	CPU      float64 `json:"cpu_us"`
	X        Spread  `json:"x_local"`
}

// FrontMiddleware is what an agent in the program adds to a request that stays.
type FrontMiddleware struct {
	Nanoseconds float64 `json:"cpu_ns"`
	Allocations float64 `json:"allocations"`
}

// spread is a as a multiple of b, turn by turn; of sums in all.
func spread(a, b []work, of func(w work) (num, den float64)) (s Spread) {
	if len(a) == 0 || len(a) != len(b) {
		return s
	}
	total := func(all []work) float64 {
		var num, den float64
		for _, w := range all {
			n, d := of(w)
			num, den = num+n, den+d
		}
		return num / max(den, 1)
	}
	s.Ratio = total(a) / max(total(b), 1e-9)
	for i := range a {
		x := total(a[i:i+1]) / max(total(b[i:i+1]), 1e-9)
		if i == 0 || x < s.Least {
			s.Least = x
		}
		s.Most = max(s.Most, x)
	}
	return s
}

func cpuPerRequest(w work) (num, den float64) { return float64(w.cpu), float64(w.requests) }
func requestsPerSecond(w work) (num, den float64) {
	return float64(w.requests) * 1e9, float64(w.passed)
}

func costsOf(doors []*door, done [][]work) (rows []FrontCost) {
	of := func(name string) []work {
		if i := slices.IndexFunc(doors, func(d *door) bool { return d.name == name }); i >= 0 {
			return done[i]
		}
		return nil
	}
	for i, d := range doors {
		row := FrontCost{Name: d.name, HAProxy: spread(done[i], of(byHAProxy), cpuPerRequest), Reverse: spread(done[i], of(byReverseProxy), cpuPerRequest)}
		row.Requests, row.PerSecond, row.CPU = sumOf(done[i])
		rows = append(rows, row)
	}
	return rows
}

// sumOf is the requests of all turns, how many a second, and the CPU time of one
// in microseconds.
func sumOf(turns []work) (requests int, perSecond, cpu float64) {
	var all work
	for _, w := range turns {
		all.requests, all.passed, all.cpu = all.requests+w.requests, all.passed+w.passed, all.cpu+w.cpu
	}
	return all.requests, float64(all.requests) / all.passed.Seconds(), float64(all.cpu.Nanoseconds()) / 1e3 / float64(max(all.requests, 1))
}

func latenciesOf(doors []*door, done [][][]float64) (rows []FrontLatency) {
	var base, haproxy FrontLatency
	for i, d := range doors {
		row := FrontLatency{Name: d.name}
		var p50, p99 []float64
		for _, us := range done[i] {
			p50, p99 = append(p50, quantile(us, .5)), append(p99, quantile(us, .99))
			row.Requests += len(us)
		}
		slices.Sort(p50)
		slices.Sort(p99)
		row.P50, row.P99 = quantile(p50, .5), quantile(p99, .5)
		if d.name == direct {
			base = row
		}
		row.AddedP50, row.AddedP99 = row.P50-base.P50, row.P99-base.P99
		if d.name == byHAProxy {
			haproxy = row
		}
		rows = append(rows, row)
	}
	for i := range rows {
		if r := &rows[i]; haproxy.AddedP50 > 0 && haproxy.AddedP99 > 0 && r.Name != direct {
			r.X50, r.X99 = r.AddedP50/haproxy.AddedP50, r.AddedP99/haproxy.AddedP99
		}
	}
	return rows
}

// ratios fills in what busy connections do beside idle ones.
func (r *FrontIdle) ratios(beside, without []work) {
	r.Throughput = spread(beside, without, requestsPerSecond)
	r.CPU = spread(beside, without, cpuPerRequest)
}

// bytesOf works out the rows, of which one is the relay's.
func bytesOf(rows []FrontBytes) []FrontBytes {
	relay := slices.IndexFunc(rows, func(r FrontBytes) bool { return r.Name == byRelay })
	for i := range rows {
		r := &rows[i]
		for k, cpu := range r.cpu {
			r.CPU += 1024 * cpu / float64(len(r.cpu))
			x := cpu / max(rows[relay].cpu[k], 1e-12)
			if k == 0 || x < r.Relay.Least {
				r.Relay.Least = x
			}
			r.Relay.Most = max(r.Relay.Most, x)
		}
	}
	for i := range rows {
		rows[i].Relay.Ratio = rows[i].CPU / max(rows[relay].CPU, 1e-12)
	}
	return rows
}

func forwardedOf(local, both []work) *FrontForwarded {
	f := &FrontForwarded{X: spread(both, local, cpuPerRequest)}
	_, _, f.Local = sumOf(local)
	f.Requests, _, f.CPU = sumOf(both)
	return f
}

// gaugeAll is what the fronts and the rest have used so far.
func (b *frontBench) gaugeAll() (g gauges) {
	for _, d := range b.started {
		g.front.cpu += d.cpu()
	}
	g.at, g.self = time.Now(), cpuOf(os.Getpid())
	g.used, g.all = machineCPU()
	return g
}

// mostOthers is how much of the CPUs others may have.
const mostOthers = .1

// busy notes that the machine had other things to do while a part was measured.
func (b *frontBench) busy(part string, used gauges) {
	if used.all <= 0 {
		return
	}
	others := float64(used.used-used.front.cpu-used.self) / float64(used.all)
	if others > mostOthers && part != PartIdle && part != PartForwarded { // which have processes of their own
		b.result.Busy = append(b.result.Busy, fmt.Sprintf("%s: others had %.0f %% of the machine's %d CPUs (bound %.0f %%)", part, 100*others, runtime.NumCPU(), 100*mostOthers))
	}
}
