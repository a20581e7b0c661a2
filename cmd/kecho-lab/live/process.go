package live

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// process is a program that a run started and ends.
type process struct {
	name  string
	cmd   *exec.Cmd
	out   *tail
	ended chan struct{} // closed when it has ended
	meant atomic.Bool   // that it ends
}

// begin starts argv. failed is told when it ends although nobody meant it to.
func begin(name string, argv []string, files []*os.File, failed func(error)) (*process, error) {
	p := &process{name: name, cmd: exec.Command(argv[0], argv[1:]...), out: new(tail), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.SysProcAttr = detach()
	p.cmd.ExtraFiles = files
	// What the environment says to agents is not said to these.
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "KECHO_") {
			p.cmd.Env = append(p.cmd.Env, v)
		}
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { // it ends with the process, which kill waits for
		err := p.cmd.Wait()
		if !p.meant.Load() {
			failed(fmt.Errorf("%s ended (%v) and said:\n%s", name, orZero(err), p.out))
		}
		close(p.ended)
	}()
	return p, nil
}

func orZero(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// kill ends the process at once, as kill -9 does, and waits for it.
func (p *process) kill() {
	p.meant.Store(true)
	p.cmd.Process.Kill() // it may have ended by itself
	<-p.ended
}

func (p *process) cpu() time.Duration { return cpuOf(p.cmd.Process.Pid) }

// await waits for a line of output that found accepts.
func (p *process) await(ctx context.Context, found func(line string) bool) error {
	return poll(ctx, func() error {
		for line := range strings.Lines(p.out.String()) {
			if found(line) {
				return nil
			}
		}
		return fmt.Errorf("%s has not said that it has started; it said:\n%s", p.name, p.out)
	})
}

// startPatience bounds the start of anything.
const startPatience = 20 * time.Second

// poll calls check until it is nil; its last error is returned when that takes
// too long, or the cause of ctx when it ends.
func poll(ctx context.Context, check func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(startPatience)
	for {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// tail keeps the end of what a process prints.
type tail struct {
	mu   sync.Mutex
	kept []byte // guarded by mu
}

const maxTail = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if extra := len(t.kept) - maxTail; extra > 0 {
		t.kept = t.kept[:copy(t.kept, t.kept[extra:])]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}
