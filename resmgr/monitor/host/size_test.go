package host

import (
	"runtime"
	"strings"
	"testing"
)

func TestSize(t *testing.T) {
	machine := float64(runtime.NumCPU())
	for _, c := range []struct {
		tree   string
		cpus   float64
		memory uint64
		limit  uint64
	}{
		{"v2-unlimited", machine, 8 << 30, 0},
		{"v2-nested", 1, 512 << 20, 512 << 20}, // the pod's, the scope's
		{"v2-docker", min(2, machine), 256 << 20, 256 << 20},
	} {
		tr := newTree(t, c.tree)
		tr.write("proc/meminfo", "MemTotal: 8388608 kB\nMemFree: 100 kB\nMemAvailable: 900 kB\n")
		got := tr.reader().Size(t.Context())
		if got != (Size{c.cpus, c.memory, c.limit}) {
			t.Errorf("%s: %+v, want %v CPUs and %d bytes", c.tree, got, c.cpus, c.memory)
		}
		if tr.log.Len() > 0 {
			t.Errorf("%s: it is logged that %s", c.tree, &tr.log)
		}
	}
	tr := newTree(t, "v2-nested")
	tr.write(cgroup(pod, "memory.max"), "lots\n")
	if got := tr.reader().Size(t.Context()); got.CPUs != 1 || got.Memory != 1000<<10 || !strings.Contains(tr.log.String(), "memory limit") {
		t.Errorf("with a limit that cannot be read: %+v, and %s", got, &tr.log)
	}
}

func TestFreeDisk(t *testing.T) {
	if free, err := FreeDisk(t.Context(), t.TempDir()); err != nil || free == 0 {
		t.Errorf("%d bytes free, %v", free, err)
	}
	if _, err := FreeDisk(t.Context(), t.TempDir()+"/gone"); err == nil {
		t.Error("a directory that is not there has room")
	}
}
