package host

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"
)

// TriggersConfig configures Triggers; its zero value works.
type TriggersConfig struct {
	// Proc is where the machine's proc file system is mounted. Zero: /proc.
	Proc string
	// Stall is for how long of a Window tasks must have stood still. Zero:
	// 200 ms.
	Stall time.Duration
	// Window is a multiple of 2 s unless the process is privileged, 500 ms to
	// 10 s. Zero: 2 s.
	Window time.Duration
	// Logger is told once what the kernel does not tell of. Nil: nobody.
	Logger *slog.Logger
}

// Triggers have the kernel say that tasks stand still, so that who reads the
// load once a second need not wait for the second's end.
type Triggers struct{ cfg TriggersConfig }

// NewTriggers makes Triggers. Nothing is armed yet.
func NewTriggers(cfg TriggersConfig) *Triggers {
	if cfg.Proc == "" {
		cfg.Proc = "/proc"
	}
	if cfg.Stall == 0 {
		cfg.Stall = 200 * time.Millisecond
	}
	if cfg.Window == 0 {
		cfg.Window = 2 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Triggers{cfg: cfg}
}

// Run calls stalled with "cpu", "memory" or "io" each time that tasks have
// stood still for that long, at most once a window for each, until ctx is done.
// Where the kernel tells of nothing it only waits. The error is that of the
// system's calls for waiting.
func (t *Triggers) Run(ctx context.Context, stalled func(resource string)) error {
	var all []*trigger
	defer func() {
		for _, armed := range all {
			armed.close()
		}
	}()
	for _, resource := range pressures {
		armed, err := arm(resource, filepath.Join(t.cfg.Proc, "pressure", resource), t.cfg.Stall, t.cfg.Window)
		if err != nil {
			t.cfg.Logger.Info("the kernel does not tell when tasks stand still; the load is read at its times only", "resource", resource, "err", err)
			continue
		}
		all = append(all, armed)
	}
	if len(all) == 0 {
		<-ctx.Done()
		return nil
	}
	return await(ctx, all, func(fired *trigger) {
		if real, err := fired.real(); err == nil && real {
			stalled(fired.resource)
		}
	})
}

// doubt tells true events of a trigger from false ones: the first after arming
// can come although nothing stood still for long enough since.
type doubt struct {
	stall time.Duration
	total time.Duration // when it was armed, or at its last true event
}

// real reports whether an event is one, when the kernel's total is now.
func (d *doubt) real(now time.Duration) bool {
	if now-d.total < d.stall {
		return false
	}
	d.total = now
	return true
}
