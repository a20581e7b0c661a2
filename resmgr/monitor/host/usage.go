package host

import (
	"context"
	"fmt"

	"github.com/shirou/gopsutil/v3/cpu"
)

// usage turns the kernel's CPU counters, which only rise, into the fraction
// that was busy between two readings. It does not use cpu.Percent, whose
// previous reading belongs to the whole process: two agents in one process
// would take each other's.
type usage struct {
	have        bool
	busy, total float64 // seconds since boot, as last read
}

// read is the busy fraction since the reading before; errNoValue when there
// was none, or no time between them.
func (u *usage) read(ctx context.Context) (float64, error) {
	times, err := cpu.TimesWithContext(ctx, false)
	if err != nil {
		u.have = false
		return 0, err
	}
	if len(times) != 1 {
		u.have = false
		return 0, fmt.Errorf("%w: %d lines of CPU times", errAbsurd, len(times))
	}
	busy, total := split(times[0])
	if u.have && total == u.total {
		return 0, errNoValue // within one tick: the window goes on
	}
	before := *u
	*u = usage{have: true, busy: busy, total: total}
	if !before.have || total < before.total { // none, or the counters began again
		return 0, errNoValue
	}
	// The kernel's idle and iowait may go back a little (proc(5)), so the
	// difference is bounded.
	fraction := (busy - before.busy) / (total - before.total)
	return min(max(fraction, 0), 1), nil
}

// split adds the counters up. A guest's time is in User and Nice already.
func split(t cpu.TimesStat) (busy, total float64) {
	busy = t.User + t.Nice + t.System + t.Irq + t.Softirq + t.Steal
	return busy, busy + t.Idle + t.Iowait
}
