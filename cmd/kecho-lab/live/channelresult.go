package live

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// ChannelResult is what Channels measured.
type ChannelResult struct {
	// NATS is the version of the server; "" without it.
	NATS string       `json:"nats,omitempty"`
	Runs []ChannelRun `json:"runs"`
}

// ChannelRun is one load, as each medium bore it.
type ChannelRun struct {
	ChannelLoad
	// Took is what each took, kecho first.
	Took []ChannelTook `json:"took"`
	// OthersCPU is what those who are not of the run had of all CPUs, from 0 to
	// 1. Busy is why the figures should not be trusted.
	OthersCPU float64  `json:"others_cpu"`
	Busy      []string `json:"busy,omitempty"`
}

// ChannelTook is one medium under one load.
type ChannelTook struct {
	Name   string `json:"name"`
	Events int    `json:"events"` // submitted
	// Lost is how many did not come to a sink, of Events times the sinks.
	Lost int `json:"lost"`
	// P50 and P99 are from submit to handler, in microseconds; 0 of a flood.
	P50 float64 `json:"p50_us"`
	P99 float64 `json:"p99_us"`
	// PerSecond is events a second, from the first submitted to the last heard.
	PerSecond float64 `json:"events_per_second"`
	// CPU is of all processes for an event, with all its sinks, in microseconds.
	CPU float64 `json:"cpu_us"`
	// The same of kecho as multiples of this one's.
	KechoP50  Beside `json:"kecho_p50"`
	KechoP99  Beside `json:"kecho_p99"`
	KechoRate Beside `json:"kecho_rate"`
	KechoCPU  Beside `json:"kecho_cpu"`
}

// Beside is a ratio of all turns together, and the least and the most of turns
// beside each other.
type Beside struct {
	Ratio float64 `json:"ratio"`
	Least float64 `json:"least"`
	Most  float64 `json:"most"`
}

// figuresOf sums turns up.
func (t *channelTurns) figuresOf(name string, all []channelTurn) ChannelTook {
	row := ChannelTook{Name: name}
	var took []float64
	var passed, cpu time.Duration
	for _, one := range all {
		row.Events += one.events
		row.Lost += one.events*t.load.Sinks - one.delivered
		took = append(took, one.took...)
		passed, cpu = passed+one.passed, cpu+one.cpu
	}
	if t.load.Rate > 0 {
		slices.Sort(took)
		row.P50, row.P99 = quantile(took, .5), quantile(took, .99)
	}
	row.PerSecond = perhaps(float64(row.Events), passed.Seconds())
	row.CPU = perhaps(cpu.Seconds()*1e6, float64(row.Events))
	return row
}

// figures are what kecho is held against others by.
var figures = []struct {
	of func(*ChannelTook) float64
	to func(*ChannelTook) *Beside
}{
	{func(t *ChannelTook) float64 { return t.P50 }, func(t *ChannelTook) *Beside { return &t.KechoP50 }},
	{func(t *ChannelTook) float64 { return t.P99 }, func(t *ChannelTook) *Beside { return &t.KechoP99 }},
	{func(t *ChannelTook) float64 { return t.PerSecond }, func(t *ChannelTook) *Beside { return &t.KechoRate }},
	{func(t *ChannelTook) float64 { return t.CPU }, func(t *ChannelTook) *Beside { return &t.KechoCPU }},
}

// result sums the turns up. done has those of each speaker.
func (t *channelTurns) result(done [][]channelTurn, used gauges) ChannelRun {
	run := ChannelRun{ChannelLoad: t.load}
	turn := func(k, i int) *ChannelTook {
		f := t.figuresOf("", done[k][i:i+1])
		return &f
	}
	for k, s := range t.all {
		row := t.figuresOf(s.name, done[k])
		for _, f := range figures {
			b := f.to(&row)
			for i := range done[k] {
				ratio := perhaps(f.of(turn(0, i)), f.of(turn(k, i)))
				if i == 0 || ratio < b.Least {
					b.Least = ratio
				}
				b.Most = max(b.Most, ratio)
			}
		}
		run.Took = append(run.Took, row)
	}
	for k := range run.Took {
		for _, f := range figures {
			f.to(&run.Took[k]).Ratio = perhaps(f.of(&run.Took[0]), f.of(&run.Took[k]))
		}
	}
	others := max(0, used.used-used.self-used.front.cpu)
	run.OthersCPU = perhaps(float64(others), float64(used.all))
	run.judge()
	return run
}

// judge says why the figures may be somebody else's fault.
func (r *ChannelRun) judge() {
	if r.OthersCPU > 0.1 {
		r.Busy = append(r.Busy, fmt.Sprintf("others had %.0f %% of the machine's %d CPUs (bound 10 %%)", 100*r.OthersCPU, runtime.NumCPU()))
	}
	for _, row := range r.Took {
		b := row.KechoP50
		if r.Rate == 0 {
			b = row.KechoRate
		}
		if b.Most > 2*b.Least {
			r.Busy = append(r.Busy, fmt.Sprintf("the ratio to %s was %.2f in one turn and %.2f in another", row.Name, b.Least, b.Most))
		}
		if row.Lost > 0 {
			r.Busy = append(r.Busy, fmt.Sprintf("%s lost %d of %d events", row.Name, row.Lost, row.Events*r.Sinks))
		}
	}
}
