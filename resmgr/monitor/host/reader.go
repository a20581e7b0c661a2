package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/shirou/gopsutil/v3/common"
	"github.com/shirou/gopsutil/v3/load"
	"github.com/shirou/gopsutil/v3/mem"
)

// Config configures a Reader; its zero value reads this machine and logs
// nothing.
type Config struct {
	// Proc is where the machine's proc file system is mounted. Zero: /proc.
	Proc string
	// Sys is where the machine's sys file system is mounted, with the control
	// groups that /proc/self/mountinfo says are below /sys. Zero: /sys.
	Sys string
	// Now is the clock that stamps samples. Nil: time.Now.
	Now func() time.Time
	// Logger is told once when a feed cannot be read, and once when it can be
	// again. Nil: nobody.
	Logger *slog.Logger
}

// Sample is what could be read at one time of the machine, and of the container
// that this process is in.
type Sample struct {
	// CPU is the fraction of all CPUs' time, 0 to 1, that was not idle since
	// the previous Read. Waiting for a disk is idle; what a hypervisor gave to
	// others is not, for it is not there to be used.
	CPU float64
	// Memory is the fraction of the memory, 0 to 1, that could not be had
	// without swapping (1 - MemAvailable / MemTotal): caches do not count.
	Memory float64
	// Load1 is the load average of one minute: tasks, not a fraction.
	Load1 float64

	// HasCPU, HasMemory and HasLoad1 say which of them could be read.
	HasCPU, HasMemory, HasLoad1 bool

	// Container is the same for the control groups.
	Container Container
	// Pressure is what stood still, on the machine or in the container.
	Pressure Pressure

	At time.Time
}

// WorseCPU is how busy the CPUs are that are here to be used: the machine's
// share or the container's, whichever is higher; false when neither is there.
func (s Sample) WorseCPU() (share float64, ok bool) {
	return worse(s.CPU, s.HasCPU, s.Container.CPU, s.Container.HasCPU)
}

// WorseMemory is the same of the memory.
func (s Sample) WorseMemory() (share float64, ok bool) {
	return worse(s.Memory, s.HasMemory, s.Container.Memory, s.Container.HasMemory)
}

// worse relies on what is absent being 0.
func worse(a float64, hasA bool, b float64, hasB bool) (float64, bool) {
	return max(a, b), hasA || hasB
}

// Reader reads samples, one after the other; it is owned by who calls Read.
type Reader struct {
	now func() time.Time
	log *slog.Logger
	env common.EnvMap

	usage             usage
	cpu, memory, load feed

	container                                         container
	containerCPU, containerThrottled, containerMemory feed

	pressure [3]feed // as pressures has them
}

// New makes a Reader. It reads nothing yet.
func New(cfg Config) *Reader {
	if cfg.Proc == "" {
		cfg.Proc = "/proc"
	}
	if cfg.Sys == "" {
		cfg.Sys = "/sys"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Reader{now: cfg.Now, log: cfg.Logger, env: common.EnvMap{common.HostProcEnvKey: cfg.Proc}}
	r.cpu = feed{name: "cpu", read: r.usage.read}
	r.memory = feed{name: "memory", read: readMemory}
	r.load = feed{name: "load average", read: readLoad1}
	r.container = container{groups: groups{proc: cfg.Proc, sys: cfg.Sys}, now: cfg.Now}
	r.containerCPU = feed{name: "container cpu", read: r.container.readCPU}
	r.containerThrottled = feed{name: "container throttling", read: r.container.readThrottled}
	r.containerMemory = feed{name: "container memory", read: r.container.readMemory}
	for i, resource := range pressures {
		s := &stalls{resource: resource, groups: &r.container.groups, now: cfg.Now}
		r.pressure[i] = feed{name: resource + " pressure", read: s.read}
	}
	return r
}

// Read takes a sample. The first has no CPU, nothing throttled and no pressure.
// A feed that cannot be read is absent from the sample and no error; the error is the context's, when it is
// done.
func (r *Reader) Read(ctx context.Context) (Sample, error) {
	if ctx.Err() != nil {
		return Sample{}, fmt.Errorf("read host: %w", context.Cause(ctx))
	}
	ctx = context.WithValue(ctx, common.EnvKey, r.env)
	s := Sample{At: r.now()}
	s.CPU, s.HasCPU = r.cpu.sample(ctx, r.log)
	s.Memory, s.HasMemory = r.memory.sample(ctx, r.log)
	s.Load1, s.HasLoad1 = r.load.sample(ctx, r.log)
	c := &s.Container
	c.CPU, c.HasCPU = r.containerCPU.sample(ctx, r.log)
	c.Throttled, c.HasThrottled = r.containerThrottled.sample(ctx, r.log)
	c.Memory, c.HasMemory = r.containerMemory.sample(ctx, r.log)
	p := &s.Pressure
	p.CPU, p.HasCPU = r.pressure[0].sample(ctx, r.log)
	p.Memory, p.HasMemory = r.pressure[1].sample(ctx, r.log)
	p.IO, p.HasIO = r.pressure[2].sample(ctx, r.log)
	return s, nil
}

// errNoValue says that a feed works and has nothing to say yet.
var errNoValue = errors.New("no value yet")

// errAbsurd says that gopsutil returned what no machine has. It returns zeros
// and no error for files that it cannot open.
var errAbsurd = errors.New("unreadable, or figures that cannot be true")

// feed is one thing that is read, and whether that failed last time.
type feed struct {
	name    string
	read    func(ctx context.Context) (float64, error)
	failing bool
}

func (f *feed) sample(ctx context.Context, log *slog.Logger) (value float64, ok bool) {
	value, err := f.try(ctx)
	silent := errors.Is(err, errNoValue)
	failing := err != nil && !silent
	switch {
	case failing && !f.failing:
		log.Warn("cannot read a host feed, going on without it", "feed", f.name, "err", err)
	case !failing && f.failing:
		log.Info("a host feed can be read again", "feed", f.name)
	}
	f.failing = failing
	if err != nil {
		return 0, false
	}
	return value, true
}

// try turns a panic into an error: gopsutil v3.24.5 indexes the fields of
// loadavg without counting them, and an odd file must not end the agent.
func (f *feed) try(ctx context.Context) (value float64, err error) {
	defer func() {
		if p := recover(); p != nil {
			value, err = 0, fmt.Errorf("%w: %v", errAbsurd, p)
		}
	}()
	return f.read(ctx)
}

func readMemory(ctx context.Context) (float64, error) {
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return 0, err
	}
	if m.Total == 0 || m.Available > m.Total {
		return 0, fmt.Errorf("%w: %d bytes available of %d", errAbsurd, m.Available, m.Total)
	}
	return 1 - float64(m.Available)/float64(m.Total), nil
}

// maxLoad1 is more tasks than a machine has, and what a load report can say at
// most (docs/design.md, "Limits").
const maxLoad1 = 1e6

func readLoad1(ctx context.Context) (float64, error) {
	avg, err := load.AvgWithContext(ctx)
	if err != nil {
		return 0, err
	}
	if !(avg.Load1 >= 0 && avg.Load1 <= maxLoad1) { // a NaN is neither
		return 0, fmt.Errorf("%w: load average %v", errAbsurd, avg.Load1)
	}
	return avg.Load1, nil
}
