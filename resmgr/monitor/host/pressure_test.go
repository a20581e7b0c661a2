package host

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// recordedPressure is what Linux 6.18 has, with another total.
func recordedPressure(total int) string {
	return fmt.Sprintf("some avg10=97.35 avg60=94.69 avg300=90.40 total=%d\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7725554\n", total)
}

func (tr *tree) pressure(name string, total int) {
	tr.t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(tr.dir, name)), 0o700); err != nil {
		tr.t.Fatal(err)
	}
	tr.write(name, recordedPressure(total))
}

// The share is of the time between two readings, and the worse of the machine
// and of the process's own group.
func TestPressure(t *testing.T) {
	tr := newTree(t, "v2-nested")
	own := cgroup(scope, "memory.pressure")
	tr.pressure("proc/pressure/cpu", 2_317_271_515)
	tr.pressure("proc/pressure/memory", 1000)
	tr.pressure(own, 500)
	r := tr.reader()
	if p := mustRead(t, r).Pressure; p.HasCPU || p.HasMemory || p.HasIO {
		t.Errorf("at the first reading: %+v", p)
	}
	tr.now = tr.now.Add(2 * time.Second)
	tr.pressure("proc/pressure/cpu", 2_317_271_515+500_000)
	tr.pressure("proc/pressure/memory", 1000+200_000)
	tr.pressure(own, 500+1_000_000)
	p := mustRead(t, r).Pressure
	if !p.HasCPU || !near(p.CPU, 0.25) || !p.HasMemory || !near(p.Memory, 0.5) || p.HasIO {
		t.Errorf("%+v, want 0.25 of the machine's CPUs, 0.5 of the group's memory, and no disks", p)
	}
	tr.now = tr.now.Add(window / 2)
	if p := mustRead(t, r).Pressure; p.HasCPU {
		t.Errorf("within a window: %+v", p)
	}
	tr.now = tr.now.Add(time.Second)
	tr.pressure("proc/pressure/cpu", 2_317_271_515+9_500_000) // more than there was time
	tr.pressure("proc/pressure/memory", 3)                    // it began anew
	tr.pressure(own, 3)
	if p := mustRead(t, r).Pressure; !near(p.CPU, 1) || p.HasMemory {
		t.Errorf("%+v", p)
	}
	if tr.log.Len() > 0 {
		t.Errorf("the log speaks of it:\n%s", &tr.log)
	}
	tr.write("proc/pressure/cpu", "some avg10=1\n")
	tr.now = tr.now.Add(time.Second)
	if p := mustRead(t, r).Pressure; p.HasCPU || strings.Count(tr.log.String(), "cpu pressure") != 1 {
		t.Errorf("%+v of a file without a total; the log:\n%s", p, &tr.log)
	}
}

func TestStalledTime(t *testing.T) {
	for text, want := range map[string]time.Duration{
		recordedPressure(22835199): 22835199 * time.Microsecond,
		"some total=5":             5 * time.Microsecond,
		"":                         -1, "full total=5": -1, "some total=": -1, "some total=-5": -1, "some total=5.5": -1,
		"some total=99999999999999999999": -1, "some avg10=0": -1,
	} {
		file := filepath.Join(t.TempDir(), "cpu")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := stalledTime(file); (err == nil) != (want >= 0) || err == nil && got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// The first event after arming can be false.
func TestDoubt(t *testing.T) {
	d := doubt{stall: 200 * time.Millisecond, total: 7 * time.Second}
	for i, tt := range []struct {
		total time.Duration
		real  bool
	}{
		{7 * time.Second, false},
		{7100 * time.Millisecond, false},
		{7200 * time.Millisecond, true},
		{7300 * time.Millisecond, false},
		{7400 * time.Millisecond, true},
	} {
		if got := d.real(tt.total); got != tt.real {
			t.Errorf("event %d at %v: %v", i, tt.total, got)
		}
	}
}

// Where the kernel tells of nothing that is said once for each, and waited for.
func TestTriggersWithoutPressure(t *testing.T) {
	var log bytes.Buffer
	triggers := NewTriggers(TriggersConfig{Proc: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- triggers.Run(ctx, func(resource string) { t.Errorf("%s stood still", resource) })
	}()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "does not tell"); n != 3 {
		t.Errorf("said %d times:\n%s", n, &log)
	}
}
