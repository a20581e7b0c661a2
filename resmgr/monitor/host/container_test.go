package host

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tree is a copy of a recorded /proc and /sys that the test goes on writing,
// and a clock.
type tree struct {
	proc
	now time.Time
	log bytes.Buffer
}

func newTree(t *testing.T, name string) *tree {
	tr := &tree{proc: proc{t, t.TempDir()}, now: time.Now()}
	if err := os.CopyFS(tr.dir, os.DirFS(filepath.Join("testdata", name))); err != nil {
		t.Fatal(err)
	}
	// The machine itself, which is idle.
	tr.write("proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\n")
	tr.write("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 900 kB\n")
	tr.write("proc/loadavg", "1.50 0.70 0.40 2/100 4242\n")
	return tr
}

func (tr *tree) reader() *Reader {
	return New(Config{
		Proc: filepath.Join(tr.dir, "proc"), Sys: filepath.Join(tr.dir, "sys"),
		Now: func() time.Time { return tr.now }, Logger: slog.New(slog.NewTextHandler(&tr.log, nil)),
	})
}

// cgroup is a file of a group.
func cgroup(parts ...string) string {
	return filepath.Join(append([]string{"sys/fs/cgroup"}, parts...)...)
}

// rise adds to the number that follows key in a file; "": the only one.
func (tr *tree) rise(name, key string, by uint64) {
	tr.t.Helper()
	old, err := os.ReadFile(filepath.Join(tr.dir, name))
	if err != nil {
		tr.t.Fatal(err)
	}
	found := false
	var lines []string
	for line := range strings.Lines(string(old)) {
		fields := strings.Fields(line)
		if number := fields[len(fields)-1]; key == "" || fields[0] == key {
			n, err := strconv.ParseUint(number, 10, 64)
			if err != nil {
				tr.t.Fatal(err)
			}
			fields[len(fields)-1], found = strconv.FormatUint(n+by, 10), true
		}
		lines = append(lines, strings.Join(fields, " "))
	}
	if !found {
		tr.t.Fatalf("%s has no %s", name, key)
	}
	tr.write(name, strings.Join(lines, "\n")+"\n")
}

const (
	burstable = "kubepods.slice/kubepods-burstable.slice"
	pod       = burstable + "/kubepods-burstable-pod1f0c.slice"
	scope     = pod + "/cri-containerd-77ab.scope"
)

// What is read of each recorded system, two seconds after the first reading.
func TestContainer(t *testing.T) {
	for _, c := range []struct {
		tree, name string
		spend      func(*tree)
		want       Container
	}{
		{"v2-nested", "the container is the tighter", func(tr *tree) {
			tr.rise(cgroup(scope, "cpu.stat"), "usage_usec", 1_500_000) // of 1 CPU
			tr.rise(cgroup(scope, "cpu.stat"), "nr_periods", 20)
			tr.rise(cgroup(scope, "cpu.stat"), "nr_throttled", 5)
			tr.rise(cgroup(pod, "cpu.stat"), "usage_usec", 1_800_000) // of 1.5
			tr.rise(cgroup(pod, "cpu.stat"), "nr_periods", 20)
		}, Container{CPU: 0.75, HasCPU: true, Throttled: 0.25, HasThrottled: true, Memory: 600e6 / 1073741824, HasMemory: true}},
		{"v2-nested", "others in the pod use it up", func(tr *tree) {
			tr.rise(cgroup(scope, "cpu.stat"), "usage_usec", 200_000)
			tr.rise(cgroup(pod, "cpu.stat"), "usage_usec", 2_700_000)
			tr.write(cgroup(pod, "memory.max"), "max\n")
		}, Container{CPU: 0.9, HasCPU: true, HasThrottled: true, Memory: 250e6 / 536870912, HasMemory: true}},
		{"v2-above", "the quota is on a group above", func(tr *tree) {
			tr.rise(cgroup("web.slice/kecho.service/cpu.stat"), "usage_usec", 100_000)
			tr.rise(cgroup("web.slice/cpu.stat"), "usage_usec", 600_000)
			tr.rise(cgroup("web.slice/cpu.stat"), "nr_periods", 20)
			tr.rise(cgroup("web.slice/cpu.stat"), "nr_throttled", 1)
		}, Container{CPU: 0.6, HasCPU: true, Throttled: 0.05, HasThrottled: true, Memory: 0.7, HasMemory: true}},
		{"v2-unlimited", "no limit anywhere", func(tr *tree) {
			tr.rise(cgroup("system.slice/kecho.service/cpu.stat"), "usage_usec", 2_000_000)
		}, Container{}},
		{"v2-docker", "two CPUs of eight", func(tr *tree) {
			tr.rise(cgroup("cpu.stat"), "usage_usec", 3_000_000)
		}, Container{CPU: 0.75, HasCPU: true, Memory: 50e6 / 268435456, HasMemory: true}},
		{"v2-docker", "a file cache is not in the way", func(tr *tree) {
			tr.rise(cgroup("memory.current"), "", 200_000_000)
			tr.rise(cgroup("memory.stat"), "inactive_file", 200_000_000)
		}, Container{HasCPU: true, Memory: 50e6 / 268435456, HasMemory: true}},
		{"v1-docker", "half a CPU, and a memory limit that cannot be seen", func(tr *tree) {
			tr.rise(cgroup("cpu,cpuacct/cpuacct.usage"), "", 900_000_000)
			tr.rise(cgroup("cpu,cpuacct/cpu.stat"), "nr_periods", 20)
			tr.rise(cgroup("cpu,cpuacct/cpu.stat"), "nr_throttled", 10)
		}, Container{CPU: 0.9, HasCPU: true, Throttled: 0.5, HasThrottled: true, Memory: 0.5, HasMemory: true}},
		{"v1-docker", "a memory limit below the one that cannot be seen", func(tr *tree) {
			tr.write(cgroup("memory/memory.limit_in_bytes"), "250000000\n")
		}, Container{HasCPU: true, HasThrottled: true, Memory: 0.8, HasMemory: true}},
		{"v1-docker", "a memory limit above the one that cannot be seen", func(tr *tree) {
			tr.write(cgroup("memory/memory.limit_in_bytes"), "800000000\n")
		}, Container{HasCPU: true, HasThrottled: true, Memory: 0.5, HasMemory: true}},
		{"v1-docker", "lines that nobody knows", func(tr *tree) {
			tr.write("proc/self/cgroup", "what\n\n6:memory:/elsewhere\n4:cpu,cpuacct:/elsewhere\n")
		}, Container{HasCPU: true, HasThrottled: true, Memory: 0.5, HasMemory: true}},
		{"v2-docker", "no memory allowed at all", func(tr *tree) {
			tr.write(cgroup("memory.max"), "0\n")
		}, Container{HasCPU: true, Memory: 1, HasMemory: true}},
		{"v1-above", "the quota is on a group above", func(tr *tree) {
			tr.rise(cgroup("cpuacct/web/kecho/cpuacct.usage"), "", 100_000_000)
			tr.rise(cgroup("cpuacct/web/cpuacct.usage"), "", 400_000_000)
		}, Container{CPU: 0.4, HasCPU: true, HasThrottled: true}},
	} {
		t.Run(c.tree+"/"+c.name, func(t *testing.T) {
			tr := newTree(t, c.tree)
			r := tr.reader()
			if s := mustRead(t, r).Container; s.HasCPU || s.HasThrottled || s.HasMemory != c.want.HasMemory {
				t.Errorf("the first sample: %+v", s)
			}
			c.spend(tr)
			tr.now = tr.now.Add(2 * time.Second)
			got, want := mustRead(t, r).Container, c.want
			if !near(got.CPU, want.CPU) || !near(got.Memory, want.Memory) || !near(got.Throttled, want.Throttled) ||
				got.HasCPU != want.HasCPU || got.HasMemory != want.HasMemory || got.HasThrottled != want.HasThrottled {
				t.Errorf("\n got %+v\nwant %+v", got, want)
			}
			if tr.log.Len() > 0 {
				t.Errorf("the log says:\n%s", &tr.log)
			}
		})
	}
}

func TestContainerCPUWindow(t *testing.T) {
	tr := newTree(t, "v2-docker")
	r := tr.reader()
	stat := cgroup("cpu.stat")
	read := func(after time.Duration, spent uint64) (float64, bool) {
		tr.now = tr.now.Add(after)
		tr.rise(stat, "usage_usec", spent)
		c := mustRead(t, r).Container
		return c.CPU, c.HasCPU
	}
	read(0, 0)
	if v, ok := read(50*time.Millisecond, 100_000); ok {
		t.Errorf("%v within one period", v)
	}
	if v, ok := read(50*time.Millisecond, 0); !ok || !near(v, 0.5) {
		t.Errorf("the window must go on over a reading within a period: %v (%v), want 0.5", v, ok)
	}
	if v, ok := read(time.Second, 9_000_000); !ok || v != 1 {
		t.Errorf("more than the limit, a burst: %v (%v), want 1", v, ok)
	}
	tr.write(stat, "usage_usec 29000000\nnr_periods 0\nnr_throttled 0\n")
	if v, ok := read(time.Second, 0); ok {
		t.Errorf("the counter went back: %v", v)
	}
	if v, ok := read(time.Second, 1_000_000); !ok || !near(v, 0.5) {
		t.Errorf("%v (%v), want 0.5", v, ok)
	}
	if v, ok := read(-time.Hour, 1_000_000); ok {
		t.Errorf("the clock went back: %v", v)
	}
}

// Another group is another history.
func TestContainerMoved(t *testing.T) {
	tr := newTree(t, "v2-above")
	r := tr.reader()
	mustRead(t, r)
	tr.write("proc/self/cgroup", "0::/web.slice\n")
	tr.write(cgroup("web.slice/cpu.max"), "100000 100000\n")
	tr.now = tr.now.Add(time.Second)
	tr.rise(cgroup("web.slice/cpu.stat"), "usage_usec", 250_000)
	if c := mustRead(t, r).Container; !near(c.CPU, 0.25) {
		t.Errorf("the group that was above knows its history and has a new quota: %+v", c)
	}
	tr.write("proc/self/cgroup", "0::/\n")
	tr.now = tr.now.Add(time.Second)
	if c := mustRead(t, r).Container; c != (Container{}) {
		t.Errorf("moved to where nothing is limited: %+v", c)
	}
}

// What cannot be read is absent, the rest is there, and the log says it once.
func TestContainerWithoutAFeed(t *testing.T) {
	web := func(name string) string { return cgroup("web.slice", name) }
	for _, c := range []struct {
		name, tree, feed string
		spoil            func(*tree)
		absent           func(Container) bool
	}{
		{"cpu.max", "v2-above", "container cpu", func(tr *tree) { tr.write(web("cpu.max"), "lots\n") }, func(c Container) bool { return !c.HasCPU && !c.HasThrottled && c.HasMemory }},
		{"a quota of nothing", "v2-above", "container cpu", func(tr *tree) { tr.write(web("cpu.max"), "0 100000\n") }, func(c Container) bool { return !c.HasCPU && !c.HasThrottled && c.HasMemory }},
		{"no cpu.stat", "v2-above", "container cpu", func(tr *tree) { tr.remove(web("cpu.stat")) }, func(c Container) bool { return !c.HasCPU && !c.HasThrottled && c.HasMemory }},
		{"cpu.stat without periods", "v2-above", "container throttling", func(tr *tree) { tr.write(web("cpu.stat"), "usage_usec 1\n") }, func(c Container) bool { return !c.HasThrottled && c.HasMemory }},
		{"memory.max", "v2-above", "container memory", func(tr *tree) { tr.write(web("memory.max"), "-3\n") }, func(c Container) bool { return c.HasCPU && c.HasThrottled && !c.HasMemory }},
		{"memory.current", "v2-above", "container memory", func(tr *tree) { tr.remove(web("memory.current")) }, func(c Container) bool { return c.HasCPU && c.HasThrottled && !c.HasMemory }},
		{"memory.stat", "v2-above", "container memory", func(tr *tree) { tr.write(web("memory.stat"), "anon 5\n") }, func(c Container) bool { return c.HasCPU && c.HasThrottled && !c.HasMemory }},
		{"cpuset", "v2-docker", "container cpu", func(tr *tree) { tr.write(cgroup("cpuset.cpus.effective"), "3-1\n") }, func(c Container) bool { return !c.HasCPU && c.HasMemory }},
		{"groups apart", "v1-above", "container cpu", func(tr *tree) {
			tr.write("proc/self/cgroup", "2:cpuacct:/web/kecho\n1:cpu:/web/other\n")
		}, func(c Container) bool { return !c.HasCPU && c.HasThrottled }},
		{"v1 quota", "v1-docker", "container cpu", func(tr *tree) { tr.write(cgroup("cpu,cpuacct/cpu.cfs_quota_us"), "x\n") }, func(c Container) bool { return !c.HasCPU && !c.HasThrottled && c.HasMemory }},
		{"v1 usage", "v1-docker", "container cpu", func(tr *tree) { tr.remove(cgroup("cpu,cpuacct/cpuacct.usage")) }, func(c Container) bool { return !c.HasCPU && c.HasThrottled && c.HasMemory }},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := newTree(t, c.tree)
			r := tr.reader()
			mustRead(t, r)
			c.spoil(tr)
			for range 3 {
				tr.now = tr.now.Add(time.Second)
				if s := mustRead(t, r); !c.absent(s.Container) || !s.HasMemory {
					t.Errorf("%+v", s)
				}
			}
			if said := strings.Count(tr.log.String(), `feed="`+c.feed+`"`); said != 1 {
				t.Errorf("the log has %d lines about %s, want one:\n%s", said, c.feed, &tr.log)
			}
		})
	}
}

func TestParseMounts(t *testing.T) {
	got := parseMounts("30 24 0:26 /a\\040b /mnt/c\\134d rw shared:4 master:1 - cgroup cgroup rw,cpu\n" +
		"31 24 0:27 / /proc rw - proc proc rw\n30 24 - cgroup\n\nnothing\n")
	want := []mount{{root: "/a b", point: `/mnt/c\d`, kind: "cgroup", options: "rw,cpu"}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestCPUList(t *testing.T) {
	for list, want := range map[string]int{"": 0, "0": 1, "0-3": 4, "0-3,7,9-10": 7} {
		if n, err := cpuList(list); err != nil || n != want {
			t.Errorf("%q: %d, %v; want %d", list, n, err, want)
		}
	}
	for _, list := range []string{"-", "a", "3-1", "0,", "0-", "99999999999"} {
		if n, err := cpuList(list); err == nil {
			t.Errorf("%q: %d", list, n)
		}
	}
}

// The effective share is the worse of both scopes, and there if one is.
func TestSampleWorse(t *testing.T) {
	for _, c := range []struct {
		s           Sample
		cpu, memory float64
		has         bool
	}{
		{Sample{}, 0, 0, false},
		{Sample{CPU: 0.2, HasCPU: true, Memory: 0.3, HasMemory: true}, 0.2, 0.3, true},
		{Sample{CPU: 0.2, HasCPU: true, Memory: 0.3, HasMemory: true, Container: Container{CPU: 0.9, HasCPU: true, Memory: 0.1, HasMemory: true}}, 0.9, 0.3, true},
		{Sample{Container: Container{CPU: 0.9, HasCPU: true, Memory: 0.1, HasMemory: true}}, 0.9, 0.1, true},
	} {
		cpu, hasCPU := c.s.WorseCPU()
		memory, hasMemory := c.s.WorseMemory()
		if cpu != c.cpu || memory != c.memory || hasCPU != c.has || hasMemory != c.has {
			t.Errorf("%+v: %v (%v), %v (%v)", c.s, cpu, hasCPU, memory, hasMemory)
		}
	}
}
