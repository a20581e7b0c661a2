package main

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// passedSignals are those that a command under a lease gets too.
var passedSignals = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
}

// child is a command that runs. It has a process group of its own, so that what
// it starts ends with it; on a terminal it shares ours, or it could not read
// there, and the terminal tells both of an interrupt.
type child struct {
	pid   int
	group bool
	ended chan struct{} // closed when cmd.Wait has returned
}

// startChild starts cmd. It dies with this process, whatever happens to that
// (Linux).
func startChild(cmd *exec.Cmd) (*child, error) {
	c := &child{group: !terminal(os.Stdin), ended: make(chan struct{})}
	cmd.SysProcAttr = childAttr(c.group)
	started := make(chan error)
	go func() {
		// The kernel ends the child with the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in ProcessState
			close(c.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	c.pid = cmd.Process.Pid
	return c, nil
}

// pass sends a signal to the child and all that it started.
func (c *child) pass(s syscall.Signal) {
	switch {
	case c.group:
		_ = syscall.Kill(-c.pid, s) // it may have ended
	case s != syscall.SIGINT && s != syscall.SIGQUIT && s != syscall.SIGWINCH: // the terminal has told it
		_ = syscall.Kill(c.pid, s)
	}
}

// kill ends it at once.
func (c *child) kill() { c.pass(syscall.SIGKILL) }

// endRest ends what the child started and left behind: it must not go on
// without the lease.
func (c *child) endRest() {
	if c.group {
		c.kill()
	}
}
