package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"kecho/resmgr/monitor/host"
)

// TestContainerCPU has a program run wild in a control group of a real kernel,
// below one that may have a fifth of a CPU: it is at its limit, whatever the
// machine's own figures say.
func TestContainerCPU(t *testing.T) {
	needRoot(t)
	above := newControlGroup(t)
	above.limit(t, 20*time.Millisecond)
	own := above.below(t, "own")
	wild := start(t, machine{}, "wild", "/bin/sh", "-c", "while :; do :; done")
	own.take(t, wild)

	reader := host.New(host.Config{Proc: procOf(t, wild)})
	eventually(t, settlePatience, "the container's quota is seen to be used up", func() error {
		s, err := reader.Read(t.Context())
		switch c := s.Container; {
		case err != nil:
			return err
		case !c.HasCPU || c.CPU < 0.5:
			return fmt.Errorf("container %+v, machine's CPU %v", c, s.CPU)
		case !c.HasThrottled || c.Throttled == 0:
			return fmt.Errorf("throttled: %+v", c)
		default:
			if worse, _ := s.WorseCPU(); worse < c.CPU {
				t.Errorf("the worse of %+v is %v", s, worse)
			}
			return nil
		}
	})
}

// TestOverflowByContainer has an agent share such a quota with the wild program:
// it raises overflow itself.
func TestOverflowByContainer(t *testing.T) {
	needRoot(t)
	above := newControlGroup(t)
	above.limit(t, 20*time.Millisecond)
	n := newNode(t, loopback(), "web1")
	n.start(t, "--overflow", "throttled > 0.2 cancel < 0.1")
	n.ready(t)
	raised := func() float64 { return n.metric(t, "kecho_overflow_raised", "") }
	if raised() != 0 {
		t.Error("overflow is raised from the beginning")
	}
	above.below(t, "agent").take(t, n.agent)
	wild := start(t, machine{}, "wild", "/bin/sh", "-c", "while :; do :; done")
	above.below(t, "wild").take(t, wild)
	awaitOverflow(t, n, "raised by throttled > 0.2 cancel < 0.1")
	// On a busy machine the wild one may not get its quota for a second, and
	// then overflow is cancelled: what it was a moment ago says nothing.
	eventually(t, settlePatience, "the metric says that overflow is raised", func() error {
		if raised() != 1 {
			return errors.New("it does not")
		}
		return nil
	})
	wild.kill()
	awaitOverflow(t, n, "not raised")
}

func awaitOverflow(t testing.TB, n *node, detail string) {
	t.Helper()
	eventually(t, settlePatience, "overflow is "+detail, func() error {
		checks, err := n.get(n.url(adminPort) + "/readyz?verbose")
		if err == nil && !strings.Contains(checks, "[+]overflow "+detail) {
			err = errors.New(checks)
		}
		return err
	})
}

// procOf is a proc directory in which p is who asks.
func procOf(t testing.TB, p *process) string {
	t.Helper()
	dir := t.TempDir()
	for name, target := range map[string]string{
		"self": strconv.Itoa(p.cmd.Process.Pid), "stat": "stat", "meminfo": "meminfo", "loadavg": "loadavg",
	} {
		if err := os.Symlink(filepath.Join("/proc", target), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// controlGroup is a group that the test made, in each hierarchy that counts
// CPU time or limits it: one in version 2, up to two in version 1.
type controlGroup struct {
	v2   bool
	dirs []string
}

// newControlGroup makes one below the topmost, until the test ends.
func newControlGroup(t testing.TB) controlGroup {
	t.Helper()
	const top = "/sys/fs/cgroup"
	g := controlGroup{v2: true, dirs: []string{top}}
	controllers, err := os.ReadFile(filepath.Join(top, "cgroup.controllers"))
	if err != nil || !slices.Contains(strings.Fields(string(controllers)), "cpu") {
		g = controlGroup{dirs: []string{filepath.Join(top, "cpu"), filepath.Join(top, "cpuacct")}}
		// Where both are one hierarchy, both names lead there.
		if one, err := filepath.EvalSymlinks(g.dirs[0]); err == nil {
			if two, err := filepath.EvalSymlinks(g.dirs[1]); err == nil && one == two {
				g.dirs = g.dirs[:1]
			}
		}
	}
	return g.below(t, fmt.Sprintf("kecho-e2e-%d", os.Getpid()))
}

// below makes a group below g.
func (g controlGroup) below(t testing.TB, name string) controlGroup {
	t.Helper()
	made := controlGroup{v2: g.v2}
	for _, dir := range g.dirs {
		if g.v2 {
			need(t, "the cpu controller in "+dir, os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+cpu"), 0o644))
		}
		dir = filepath.Join(dir, name)
		need(t, "control groups that can be written", os.Mkdir(dir, 0o755))
		made.dirs = append(made.dirs, dir)
		t.Cleanup(func() { remove(t, dir) })
	}
	return made
}

// remove takes a group away as soon as what was in it is gone.
func remove(t testing.TB, dir string) {
	t.Helper()
	eventually(t, startPatience, dir+" is removed", func() error {
		if err := os.Remove(dir); !errors.Is(err, syscall.ENOENT) {
			return err
		}
		return nil
	})
}

// limit gives the group a quota for each tenth of a second.
func (g controlGroup) limit(t testing.TB, quota time.Duration) {
	t.Helper()
	file, text := "cpu.cfs_quota_us", strconv.FormatInt(quota.Microseconds(), 10)
	if g.v2 {
		file, text = "cpu.max", text+" 100000"
	}
	need(t, "a limit of CPU time", os.WriteFile(filepath.Join(g.dirs[0], file), []byte(text), 0o644))
}

// take moves a process into the group; its end takes it out again.
func (g controlGroup) take(t testing.TB, p *process) {
	t.Helper()
	t.Cleanup(p.kill) // before the group is removed
	for _, dir := range g.dirs {
		pid := strconv.Itoa(p.cmd.Process.Pid)
		need(t, "a group to move to", os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(pid), 0o644))
	}
}
