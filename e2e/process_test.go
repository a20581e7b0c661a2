package e2e

import (
	"bytes"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a program that the test started and ends.
type process struct {
	name string
	cmd  *exec.Cmd
	out  *output
	// ended is closed when the process has ended; code is valid then.
	ended chan struct{}
	code  int
}

// output keeps what a process prints, up to maxOutput bytes of its end.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

const maxOutput = 1 << 20

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf.Write(p)
	if extra := o.buf.Len() - maxOutput; extra > maxOutput {
		o.buf.Next(extra)
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// tail is the last n lines.
func (o *output) tail(n int) string {
	lines := strings.Split(strings.TrimRight(o.String(), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// start runs argv on the machine m until the test ends. A test that fails
// shows the end of what it printed.
func start(t testing.TB, m machine, name string, argv ...string) *process {
	t.Helper()
	argv = m.inside(argv)
	p := &process{
		name:  name,
		cmd:   exec.Command(argv[0], argv[1:]...),
		out:   new(output),
		ended: make(chan struct{}),
	}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	// The process dies with this one, even when that is ended by a timeout
	// and no cleanup runs.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := startOnLastingThread(p.cmd); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		defer close(p.ended)
		p.cmd.Wait() // how it ended is in ProcessState
		p.code = p.cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		p.kill()
		if strings.Contains(p.out.String(), "DATA RACE") {
			t.Errorf("%s has a data race", name)
		}
		if t.Failed() {
			t.Logf("--- %s (exit %d) printed:\n%s", name, p.code, p.out.tail(60))
		}
	})
	return p
}

// kill ends the process at once, as kill -9 does, and waits for it.
func (p *process) kill() {
	p.cmd.Process.Signal(syscall.SIGKILL) // it may have ended by itself
	<-p.ended
}

// stop asks the process to end, and is its exit code.
func (p *process) stop(t testing.TB, patience time.Duration) int {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("stop %s: %v", p.name, err)
	}
	return p.wait(t, patience)
}

// wait is the exit code of a process that ends by itself.
func (p *process) wait(t testing.TB, patience time.Duration) int {
	t.Helper()
	select {
	case <-p.ended:
		return p.code
	case <-time.After(patience):
		t.Fatalf("%s has not ended after %v", p.name, patience)
		return -1
	}
}

// startOnLastingThread starts cmd from a thread that lives as long as this
// process: Pdeathsig fires when the thread that started the child ends, and
// threads that have been in another network namespace do end (netns.dial).
func startOnLastingThread(cmd *exec.Cmd) error {
	done := make(chan error)
	lastingThread() <- func() { done <- cmd.Start() }
	return <-done
}

var lastingThread = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// eventually polls until check is nil, and fails the test with its last error
// when that takes longer than patience.
func eventually(t testing.TB, patience time.Duration, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
