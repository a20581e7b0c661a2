package agent

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"time"

	"kecho/channel"
	"kecho/filters"
	"kecho/resmgr/monitor/host"
)

// What a node tells of its machine, or of its container if that is fuller:
// shares from 0 to 1, absent when they cannot be read.
const (
	cpuKey    channel.Key[float64] = "cpu"
	memoryKey channel.Key[float64] = "memory"
)

// loadReport is the type of the events on the monitoring channel. They carry
// nothing of their own: the load is in what the node describes itself with,
// which is stamped on every event of every channel.
const loadReport channel.Type = "load"

// How often a report is submitted: at least, and at most when the load changes
// (docs/design.md, "Limits").
const (
	reportEvery = time.Second
	reportGap   = 100 * time.Millisecond
	// stallGap is how long after a reading the kernel's word that tasks stand
	// still asks for another: shares of less time say little.
	stallGap = 250 * time.Millisecond
)

// report is the load of the machine or of the container, the worse of both, as
// it was last read; float64 bits, NaN is absent.
type report struct {
	cpu, memory atomic.Uint64
}

func (r *report) store(s host.Sample) {
	set := func(at *atomic.Uint64, v float64, ok bool) {
		if !ok {
			v = math.NaN()
		}
		setFloat(at, v)
	}
	cpu, ok := s.WorseCPU()
	set(&r.cpu, cpu, ok)
	memory, ok := s.WorseMemory()
	set(&r.memory, memory, ok)
}

// share is what was read; false when it was not.
func share(at *atomic.Uint64) (float64, bool) {
	v := floatOf(at)
	return v, !math.IsNaN(v)
}

func floatOf(at *atomic.Uint64) float64     { return math.Float64frombits(at.Load()) }
func setFloat(at *atomic.Uint64, v float64) { at.Store(math.Float64bits(v)) }

// describe appends what is stamped on every event of this node.
func (a *Agent) describe(attrs channel.Attrs) channel.Attrs {
	attrs = a.balancer.Describe(attrs)
	if v, ok := share(&a.report.cpu); ok {
		attrs = append(attrs, cpuKey.Of(v))
	}
	if v, ok := share(&a.report.memory); ok {
		attrs = append(attrs, memoryKey.Of(v))
	}
	return attrs
}

// runReports submits a load report each second, and within 100 ms of a change
// of the load, the capacity or of draining.
func (a *Agent) runReports(ctx context.Context) error {
	ticker := time.NewTicker(reportGap)
	defer ticker.Stop()
	var said channel.Attrs
	var at time.Time
	for {
		a.noteLoad()
		if now := time.Now(); now.Sub(at) >= reportEvery {
			sample, err := a.cfg.Host.Read(ctx)
			if err != nil && ctx.Err() == nil {
				return err
			}
			a.report.store(sample)
			if err := a.feedGauges(sample); err != nil {
				return err
			}
			a.noteReport(now)
			at, said = now, a.balancer.Describe(nil)
			a.submitReport(ctx)
		} else if load := a.balancer.Describe(nil); !sameLoad(load, said) {
			said = load
			a.submitReport(ctx)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-a.stalled:
			if time.Since(at) >= stallGap {
				at = time.Time{}
			}
		}
	}
}

// watchPressure has the load read when the kernel says that tasks stand still.
func (a *Agent) watchPressure(ctx context.Context) error {
	if a.triggers == nil {
		<-ctx.Done()
		return nil
	}
	return a.triggers.Run(ctx, func(string) {
		select {
		case a.stalled <- struct{}{}:
		default: // it will be read
		}
	})
}

// hearReport has the balancer know how its peers are.
func (a *Agent) hearReport(e *channel.Event) { a.balancer.Hear(e.ID.Source, e.From) }

func sameLoad(a, b channel.Attrs) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func (a *Agent) submitReport(ctx context.Context) {
	_, err := a.monitor.Submit(ctx, channel.Event{Type: loadReport, Priority: channel.Urgent})
	if err != nil && !errors.Is(err, channel.ErrNoSink) {
		a.log.Debug("a load report was not sent", "err", err)
	}
}

// loadOf is what attrs say of a node's load; nil and 0 where they do not.
func loadOf(attrs channel.Attrs) (load *float64, capacity int, draining bool) {
	if v, ok := filters.LoadIn(attrs); ok {
		load = &v
	}
	places, _ := filters.CapacityIn(attrs)
	draining, _ = filters.Draining.In(attrs)
	return load, int(places), draining
}
