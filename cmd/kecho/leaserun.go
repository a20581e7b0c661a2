package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
)

func leaseRunCommand() *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "run a command while holding a lease", ArgsUsage: "-- COMMAND [ARGUMENT...]",
		Description: "The lease is renewed at a third of its TTL. When that cannot be done the command gets\n" +
			"TERM at 2/3 of it and KILL at 5/6, before anybody else can have what it had. The\n" +
			"command finds KECHO_LEASE, KECHO_NODE and KECHO_FENCE in its environment: what it works\n" +
			"on should refuse a lower fence of the node than it has seen. Signals are passed on. The\n" +
			"exit code is the command's, 128 and the signal's number if one ended it, 75 when the\n" +
			"lease was lost, 126 or 127 when it cannot be run.",
		Flags: slices.Concat(requestFlags(), []cli.Flag{
			apiFlag(),
			&cli.DurationFlag{Name: "timeout", Value: 5 * time.Second, Usage: "how long to wait for the agent's answer, besides --wait"},
		}), Action: runUnderLease,
	}
}

// childEnded is the exit code of a command that ran and ended.
type childEnded int

func (e childEnded) Error() string { return fmt.Sprintf("the command ended with %d", int(e)) }

// keeper has a lease and the command that runs under it.
type keeper struct {
	agent    *api.Client
	patience time.Duration
	lease    api.Lease
	tenure   *tenure
	clock    func() time.Duration
	stderr   func(format string, args ...any)
	lastErr  error // of the last renewal
}

func runUnderLease(c *cli.Context) error {
	r, err := leaseRequest(c)
	if err != nil {
		return err
	}
	agent, patience, err := whom(c)
	if err != nil {
		return err
	}
	k := &keeper{
		agent: agent, patience: patience, clock: sinceBoot,
		stderr: func(format string, args ...any) { report(c.App.ErrWriter, fmt.Errorf(format, args...)) },
	}
	if err := k.request(c.Context, r, c.Duration("wait")); err != nil {
		return withReasons(err)
	}
	defer k.release()
	if err := k.freshen(c.Context); err != nil {
		return err
	}
	if c.Context.Err() != nil {
		return &api.Error{Code: api.Failed, Detail: "interrupted"}
	}
	args := c.Args().Slice()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, c.App.Writer, c.App.ErrWriter
	cmd.Env = append(os.Environ(), "KECHO_LEASE="+k.lease.ID, "KECHO_NODE="+k.lease.Node, "KECHO_FENCE="+strconv.FormatUint(k.lease.Fence, 10))
	return k.run(cmd)
}

// request gets the lease.
func (k *keeper) request(ctx context.Context, r api.LeaseRequest, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, k.patience+max(wait, 0))
	defer cancel()
	asked := k.clock()
	grant, err := k.agent.RequestLease(ctx, r)
	if err != nil {
		return err
	}
	k.lease = grant.Leases[0]
	ttl, err := time.ParseDuration(k.lease.TTL)
	if err != nil || ttl <= 0 {
		return &api.Error{Code: api.Failed, Detail: fmt.Sprintf("the agent answers with a ttl of %.40q", k.lease.TTL)}
	}
	k.tenure = newTenure(ttl, asked)
	return nil
}

// freshen renews a lease that was waited for, since what is left of it is not
// known: it counts from before it was asked for.
func (k *keeper) freshen(ctx context.Context) error {
	sent := k.clock()
	if k.tenure.fresh(sent) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, k.patience)
	defer cancel()
	if _, err := k.agent.Renew(ctx, k.lease.ID, api.LeaseRenewal{Holder: k.lease.Holder}); err != nil {
		return err
	}
	k.tenure.renewed(sent)
	if !k.tenure.fresh(k.clock()) {
		return &api.Error{Code: api.TryLater, Detail: "the lease was renewed too slowly to begin anything with it"}
	}
	return nil
}

// release ends the lease; if it cannot be told, it ends by itself.
func (k *keeper) release() {
	ctx, cancel := context.WithTimeout(context.Background(), k.patience)
	defer cancel()
	if err := k.agent.Release(ctx, k.lease.ID, k.lease.Holder); err != nil && !leaseOver(err) && !k.tenure.asked {
		k.stderr("lease %s is not released and lasts until its time is over: %w", k.lease.ID, err)
	}
}

// leaseOver reports whether err says that there is no such lease of ours any
// more.
func leaseOver(err error) bool {
	var failed *api.Error
	return errors.As(err, &failed) && (failed.Code == api.LeaseEnded || failed.Code == api.NotFound || failed.Code == api.NotHolder)
}

// run runs the command, keeps the lease meanwhile, and is what it ended with.
func (k *keeper) run(cmd *exec.Cmd) error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, passedSignals...)
	defer signal.Stop(signals)
	child, err := startChild(cmd)
	if err != nil {
		code := 126
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			code = 127
		}
		k.stderr("%w", err)
		return childEnded(code)
	}
	k.keep(child, signals)
	child.endRest()
	switch status := cmd.ProcessState.Sys().(syscall.WaitStatus); {
	case k.tenure.asked:
		return &api.Error{Code: api.TryLater, Err: k.lastErr, Detail: fmt.Sprintf("lease %s was lost and the command ended: %v", k.lease.ID, k.lastErr)}
	case status.Signaled():
		return childEnded(128 + int(status.Signal()))
	case status.ExitStatus() != 0:
		return childEnded(status.ExitStatus())
	}
	return nil
}

// renewal is one that was tried.
type renewal struct {
	sent time.Duration
	err  error
}

// keep does what the tenure says until the child has ended.
func (k *keeper) keep(child *child, signals <-chan os.Signal) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	renewals := make(chan renewal, 1)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-child.ended:
			return
		case s := <-signals:
			child.pass(s.(syscall.Signal))
		case r := <-renewals:
			k.note(r)
		case <-timer.C:
		}
		switch k.tenure.step(k.clock()) {
		case renew:
			go func() { renewals <- k.renew(ctx) }()
		case terminate:
			k.stderr("lease %s cannot be renewed, the command is asked to end: %v", k.lease.ID, k.lastErr)
			child.pass(syscall.SIGTERM)
		case kill:
			child.kill()
		}
		// The timer does not run while the machine sleeps; the clock does.
		timer.Reset(min(max(k.tenure.due()-k.clock(), 0), time.Second))
	}
}

func (k *keeper) renew(ctx context.Context) renewal {
	r := renewal{sent: k.clock()}
	ctx, cancel := context.WithTimeout(ctx, k.tenure.patience())
	defer cancel()
	_, r.err = k.agent.Renew(ctx, k.lease.ID, api.LeaseRenewal{Holder: k.lease.Holder})
	return r
}

func (k *keeper) note(r renewal) {
	if r.err == nil {
		k.tenure.renewed(r.sent)
		return
	}
	k.lastErr = r.err
	k.tenure.failed(k.clock(), leaseOver(r.err))
}
