package live

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// Machine is how well the machine kept up, in milliseconds: how late requests
// were sent, and how much longer than told a worker was busy. CPU is what was
// in use of all that there is, from 0 to 1; of it the hosts, the generator and
// others, who are not of the run, had theirs.
type Machine struct {
	LatenessP50  float64 `json:"lateness_p50_ms"`
	LatenessP99  float64 `json:"lateness_p99_ms"`
	OvertimeP50  float64 `json:"overtime_p50_ms"`
	OvertimeP99  float64 `json:"overtime_p99_ms"`
	CPU          float64 `json:"cpu"`
	HostsCPU     float64 `json:"hosts_cpu"`
	GeneratorCPU float64 `json:"generator_cpu"`
	OthersCPU    float64 `json:"others_cpu"`
	CPUs         int     `json:"cpus"`
}

// judge says how well the machine kept up.
func (r *run) judge(res *Result, ran []execution, used gauges) {
	var lateness, overtime []float64
	for i := range r.records {
		lateness = append(lateness, r.records[i].Lateness)
	}
	for _, e := range ran {
		if e.Done {
			overtime = append(overtime, milliseconds(e.Took-e.Asked))
		}
	}
	slices.Sort(lateness)
	slices.Sort(overtime)
	share := func(d time.Duration) float64 { return float64(d) / float64(max(used.all, 1)) }
	res.Machine = Machine{
		LatenessP50: quantile(lateness, .5), LatenessP99: quantile(lateness, .99),
		OvertimeP50: quantile(overtime, .5), OvertimeP99: quantile(overtime, .99),
		CPU: share(used.used), HostsCPU: share(used.hosts), GeneratorCPU: share(used.self),
		OthersCPU: share(max(0, used.used-used.hosts-used.self-used.front.cpu)),
		CPUs:      runtime.NumCPU(),
	}
	res.Busy = res.Machine.busy(res.Service)
}

// busy says why times were not the front's: services of a mean, in
// milliseconds, were late by a share of it that would be seen in the ratios.
func (m Machine) busy(service float64) (why []string) {
	bound := max(0.3, 0.05*service)
	if m.LatenessP99 > bound {
		why = append(why, fmt.Sprintf("one request in a hundred was sent %.1f ms late or more (bound %.1f)", m.LatenessP99, bound))
	}
	if m.OvertimeP99 > bound {
		why = append(why, fmt.Sprintf("one worker in a hundred was busy for %.1f ms longer than told, or more (bound %.1f)", m.OvertimeP99, bound))
	}
	if m.CPU > 0.8 {
		why = append(why, fmt.Sprintf("%.0f %% of the machine's %d CPUs were in use (bound 80 %%), %.0f %% by others", 100*m.CPU, m.CPUs, 100*m.OthersCPU))
	}
	return why
}
