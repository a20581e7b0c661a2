package live

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// LeaseResult is what Leases measured.
type LeaseResult struct {
	Runs  []LeaseRun  `json:"runs"`
	Fills []LeaseFill `json:"fills,omitempty"`
	// Busy is why the figures say nothing of a disk; nil when they do.
	Busy []string `json:"busy,omitempty"`
}

// LeaseRun is one cluster with one number of clients, beside the others.
type LeaseRun struct {
	Nodes    int `json:"nodes"`
	Managers int `json:"managers"`
	Clients  int `json:"clients"`
	// Sync is what the disk took to keep a few bytes, in the same time.
	Sync LeaseTimes `json:"sync"`
	// Took is how long each contender took, the agents first.
	Took []LeaseTook `json:"took"`
	// OthersCPU is what those who are not of the run had of all CPUs, from 0 to
	// 1. Busy is why the times should not be trusted.
	OthersCPU float64  `json:"others_cpu"`
	Busy      []string `json:"busy,omitempty"`
}

// LeaseTimes are in milliseconds.
type LeaseTimes struct {
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
}

// LeaseTook is one contender, from asking to having. A client gives a lease
// back before it takes the next; that takes of the leases a second, not of the
// times.
type LeaseTook struct {
	Name   string `json:"name"` // kecho, or etcd-MEMBERS
	Leases int    `json:"leases"`
	LeaseTimes
	PerSecond float64 `json:"leases_per_second"`
	// CPU is what its processes used for a lease, in microseconds.
	CPU float64 `json:"cpu_us"`
	// Ratio is the agents' median as a multiple of this one's; Least and Most
	// are that of turns beside each other.
	Ratio float64 `json:"ratio"`
	Least float64 `json:"ratio_least"`
	Most  float64 `json:"ratio_most"`
}

// LeaseFill is what many leases take of one agent, or one member, that has
// nothing else to do.
type LeaseFill struct {
	Name   string  `json:"name"`
	Leases int     `json:"leases"`
	Taking float64 `json:"taking_s"`
	// Before and After are the resident memory of the process in MiB, with no
	// lease and with all; Restarted that of the next, which read the journal.
	Before    float64 `json:"before_mib"`
	After     float64 `json:"after_mib"`
	Restarted float64 `json:"restarted_mib"`
	// Restart is from the start of the process, after it was killed, until it
	// answers for the last lease, in milliseconds, to within 20; Empty is that
	// with one lease.
	Restart float64 `json:"restart_ms"`
	Empty   float64 `json:"empty_restart_ms"`
}

// Per10k is the memory of 10,000 leases in MiB.
func (f *LeaseFill) Per10k() float64 { return (f.After - f.Before) / float64(f.Leases) * 10_000 }

// result sums the turns up. done has those of each contender.
func (t *turns) result(done [][]turn, syncs []float64, used gauges) LeaseRun {
	run := LeaseRun{Clients: t.clients, Sync: leaseTimesOf(syncs)}
	for k, c := range t.all {
		row := LeaseTook{Name: c.name}
		var all []float64
		var passed, cpu time.Duration
		for i, one := range done[k] {
			all = append(all, one.took...)
			passed, cpu = passed+one.passed, cpu+one.cpu
			ratio := perhaps(leaseTimesOf(done[0][i].took).P50, leaseTimesOf(one.took).P50)
			if i == 0 || ratio < row.Least {
				row.Least = ratio
			}
			row.Most = max(row.Most, ratio)
		}
		row.Leases, row.LeaseTimes = len(all), leaseTimesOf(all)
		row.PerSecond = perhaps(float64(len(all)), passed.Seconds())
		row.CPU = perhaps(float64(cpu.Microseconds()), float64(len(all)))
		run.Took = append(run.Took, row)
	}
	for k := range run.Took {
		run.Took[k].Ratio = perhaps(run.Took[0].P50, run.Took[k].P50)
	}
	others := max(0, used.used-used.self-used.front.cpu)
	run.OthersCPU = perhaps(float64(others), float64(used.all))
	run.judge()
	return run
}

// judge says why the times may be somebody else's fault.
func (r *LeaseRun) judge() {
	if r.OthersCPU > 0.1 {
		r.Busy = append(r.Busy, fmt.Sprintf("others had %.0f %% of the machine's %d CPUs (bound 10 %%)", 100*r.OthersCPU, runtime.NumCPU()))
	}
	for _, row := range r.Took {
		if row.Leases < 100 {
			r.Busy = append(r.Busy, fmt.Sprintf("%s gave %d leases, too few for a 99th percentile", row.Name, row.Leases))
		}
		if row.Most > 2*row.Least {
			r.Busy = append(r.Busy, fmt.Sprintf("the ratio to %s was %.2f in one turn and %.2f in another", row.Name, row.Least, row.Most))
		}
	}
}

func leaseTimesOf(took []float64) LeaseTimes {
	sorted := slices.Sorted(slices.Values(took))
	return LeaseTimes{quantile(sorted, .5), quantile(sorted, .99)}
}

// perhaps is a/b, and 0 where there is none.
func perhaps(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
