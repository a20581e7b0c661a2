package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestMemoryLimit has an agent begin in a control group of a real kernel that
// may have 256 MiB: its garbage collector knows.
func TestMemoryLimit(t *testing.T) {
	needRoot(t)
	const limit = 256 << 20
	dir, file := "/sys/fs/cgroup", "memory.max"
	controllers, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil || !slices.Contains(strings.Fields(string(controllers)), "memory") {
		dir, file = filepath.Join(dir, "memory"), "memory.limit_in_bytes"
	} else {
		need(t, "the memory controller", os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+memory"), 0o644))
	}
	dir = filepath.Join(dir, "kecho-e2e-memory-"+strconv.Itoa(os.Getpid()))
	need(t, "control groups that can be written", os.Mkdir(dir, 0o755))
	t.Cleanup(func() { remove(t, dir) })
	need(t, "a limit of memory", os.WriteFile(filepath.Join(dir, file), []byte(strconv.Itoa(limit)), 0o644))

	m := loopback()
	n := newNode(t, m, "web1")
	n.first = "echo $$ >" + filepath.Join(dir, "cgroup.procs")
	n.start(t)
	n.ready(t)
	if got := n.metric(t, "go_gc_gomemlimit_bytes", ""); got != limit/10*9 {
		t.Errorf("the limit is %v, want %d", got, limit/10*9)
	}
}
