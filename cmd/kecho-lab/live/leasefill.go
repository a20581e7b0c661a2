package live

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// restarter is a leaser of one process that can be killed and started again.
type restarter interface {
	leaser
	restart(ctx context.Context) error
}

// fillers is how many clients take leases at once, perHolder how many a holder
// has at most.
const (
	fillers   = 64
	perHolder = 500
)

// fillAll looks at one agent with many leases, and at one member of etcd.
func fillAll(ctx context.Context, cfg LeaseConfig) ([]LeaseFill, error) {
	bound := settle + time.Duration(2*cfg.Fill)*10*time.Millisecond
	ctx, bounded := context.WithTimeoutCause(ctx, bound, fmt.Errorf("it is not done after %v", bound))
	defer bounded()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	agentCfg := cfg
	agentCfg.Dir, agentCfg.Managers = cfg.Dir+"/fill", 1
	type subject struct {
		name string
		restarter
	}
	all := []subject{{"kecho", newLeaseAgents(agentCfg, 1, fail)}}
	if cfg.Etcd != "" {
		all = append(all, subject{"etcd-1", newEtcd(agentCfg, 1, fail)})
	}
	var fills []LeaseFill
	for _, s := range all {
		cfg.Note(fmt.Sprintf("%s with %d leases", s.name, cfg.Fill))
		f, err := fillOne(ctx, s, cfg.Fill)
		s.stop()
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		f.Name = s.name
		fills = append(fills, f)
	}
	return fills, nil
}

func fillOne(ctx context.Context, l restarter, n int) (f LeaseFill, err error) {
	if err := l.start(ctx); err != nil {
		return f, err
	}
	first := l.taker(0)
	defer func() { first.close() }()
	lease, err := first.take(ctx, "first")
	if err != nil {
		return f, err
	}
	if f.Empty, err = again(ctx, l, lease); err != nil {
		return f, err
	}
	first.close()
	first = l.taker(0)
	if err := errors.Join(first.release(ctx, lease, "first"), once(ctx, first, 0)); err != nil { // it is whole again
		return f, err
	}
	resident := func() float64 { return residentOf(l.processes()[0].cmd.Process.Pid) }
	began := time.Now()
	f.Leases, f.Before = n, resident()
	if lease, err = fill(ctx, l, n); err != nil {
		return f, err
	}
	f.Taking, f.After = time.Since(began).Seconds(), resident()
	if f.Restart, err = again(ctx, l, lease); err != nil {
		return f, err
	}
	f.Restarted = resident()
	return f, nil
}

// fill takes n leases and is the last.
func fill(ctx context.Context, l leaser, n int) (lease string, err error) {
	var desks []taker
	for i := range min(fillers, n) {
		desk := l.taker(i)
		defer desk.close()
		desks = append(desks, desk)
	}
	var next atomic.Int64
	leases := make([]string, n)
	err = serveAll(ctx, desks, func(i int) (err error) {
		for k := int(next.Add(1)) - 1; k < n && err == nil; k = int(next.Add(1)) - 1 {
			leases[k], err = desks[i].take(ctx, fmt.Sprint("holder-", k/perHolder))
		}
		return err
	})
	return leases[n-1], err
}

// again kills and starts l, and is how many milliseconds passed from then until
// it answered for a lease.
func again(ctx context.Context, l restarter, lease string) (float64, error) {
	began := time.Now()
	if err := l.restart(ctx); err != nil {
		return 0, err
	}
	desk := l.taker(0)
	defer desk.close()
	err := poll(ctx, func() error {
		if err := desk.lives(ctx, lease); err != nil {
			return errors.Join(errors.New("the last lease is not known after a restart"), err)
		}
		return nil
	})
	return milliseconds(time.Since(began)), err
}
