package host

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// proc is a proc directory whose files the test writes.
type proc struct {
	t   *testing.T
	dir string
}

// newProc has a machine with 1000 kB, 250 of them available.
func newProc(t *testing.T) proc {
	p := proc{t, t.TempDir()}
	p.write("stat", "cpu  100 0 100 800 0 0 0 0 0 0\n")
	p.write("meminfo", "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 250 kB\n")
	p.write("loadavg", "1.50 0.70 0.40 2/100 4242\n")
	return p
}

func (p proc) write(name, content string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p proc) remove(name string) {
	p.t.Helper()
	if err := os.Remove(filepath.Join(p.dir, name)); err != nil {
		p.t.Fatal(err)
	}
}

func mustRead(t *testing.T, r *Reader) Sample {
	t.Helper()
	s, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestRead(t *testing.T) {
	p := newProc(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := New(Config{Proc: p.dir, Now: func() time.Time { return at }})

	s := mustRead(t, r)
	if want := (Sample{Memory: 0.75, HasMemory: true, Load1: 1.5, HasLoad1: true, At: at}); s != want {
		t.Errorf("first sample %+v, want %+v", s, want)
	}
	p.write("stat", "cpu  110 5 105 870 5 3 2 0 0 0\n") // 25 of 100 ticks busy
	if s = mustRead(t, r); !s.HasCPU || !near(s.CPU, 0.25) {
		t.Errorf("CPU %v (%v), want 0.25", s.CPU, s.HasCPU)
	}
	p.write("stat", "cpu  130 5 105 910 5 3 2 20 20 0\n") // 40 of 80; the guest's 20 are in user
	if s = mustRead(t, r); !s.HasCPU || !near(s.CPU, 0.5) {
		t.Errorf("CPU %v (%v), want 0.5", s.CPU, s.HasCPU)
	}
}

func TestReadCPUWindow(t *testing.T) {
	p := newProc(t)
	r := New(Config{Proc: p.dir})
	mustRead(t, r)
	if s := mustRead(t, r); s.HasCPU || s.CPU != 0 {
		t.Errorf("no tick has passed: CPU %v", s.CPU)
	}
	p.write("stat", "cpu  150 0 100 850 0 0 0 0 0 0\n")
	if s := mustRead(t, r); !near(s.CPU, 0.5) {
		t.Errorf("the window must go on over a Read within a tick: CPU %v (%v), want 0.5", s.CPU, s.HasCPU)
	}
	p.write("stat", "cpu  160 0 100 830 0 0 0 0 0 0\n") // less in all
	if s := mustRead(t, r); s.HasCPU {
		t.Errorf("counters went back: CPU %v", s.CPU)
	}
	p.write("stat", "cpu  150 0 100 930 0 0 0 0 0 0\n") // user went back
	if s := mustRead(t, r); !s.HasCPU || s.CPU != 0 {
		t.Errorf("CPU %v (%v), want 0", s.CPU, s.HasCPU)
	}
	p.write("stat", "cpu  260 0 100 925 0 0 0 0 0 0\n") // idle went back
	if s := mustRead(t, r); !s.HasCPU || s.CPU != 1 {
		t.Errorf("CPU %v (%v), want 1", s.CPU, s.HasCPU)
	}
}

// What cannot be read is absent, the rest is there, and the log says it once.
func TestReadWithoutAFeed(t *testing.T) {
	for _, c := range []struct {
		feed   string
		spoil  func(proc)
		absent func(Sample) bool
	}{
		{"cpu", func(p proc) { p.remove("stat") }, func(s Sample) bool { return !s.HasCPU && s.HasMemory && s.HasLoad1 }},
		{"cpu", func(p proc) { p.write("stat", "cpu who knows\n") }, func(s Sample) bool { return !s.HasCPU && s.HasMemory && s.HasLoad1 }},
		{"memory", func(p proc) { p.remove("meminfo") }, func(s Sample) bool { return !s.HasMemory && s.HasLoad1 }},
		{"memory", func(p proc) { p.write("meminfo", "MemTotal: many kB\n") }, func(s Sample) bool { return !s.HasMemory && s.HasLoad1 }},
		{"memory", func(p proc) { p.write("meminfo", "MemTotal: 10 kB\nMemAvailable: 20 kB\n") }, func(s Sample) bool { return !s.HasMemory && s.HasLoad1 }},
		{"load average", func(p proc) { p.write("loadavg", "") }, func(s Sample) bool { return s.HasMemory && !s.HasLoad1 }},
		{"load average", func(p proc) { p.write("loadavg", "NaN 1 1 1/1 1") }, func(s Sample) bool { return s.HasMemory && !s.HasLoad1 }},
		{"load average", func(p proc) { p.write("loadavg", "Inf 1 1 1/1 1") }, func(s Sample) bool { return s.HasMemory && !s.HasLoad1 }},
		{"load average", func(p proc) { p.write("loadavg", "-1 1 1 1/1 1") }, func(s Sample) bool { return s.HasMemory && !s.HasLoad1 }},
	} {
		p := newProc(t)
		var log bytes.Buffer
		r := New(Config{Proc: p.dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		mustRead(t, r)
		c.spoil(p)
		for range 3 {
			if s := mustRead(t, r); !c.absent(s) {
				t.Errorf("without %s: %+v", c.feed, s)
			}
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), c.feed) {
			t.Errorf("without %s the log has %d lines, want one about it:\n%s", c.feed, n, &log)
		}
	}
}

func TestReadAgain(t *testing.T) {
	p := newProc(t)
	var log bytes.Buffer
	r := New(Config{Proc: p.dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	mustRead(t, r)
	p.remove("stat")
	mustRead(t, r)
	p.write("stat", "cpu  200 0 200 900 0 0 0 0 0 0\n")
	if s := mustRead(t, r); s.HasCPU {
		t.Errorf("CPU %v over a gap that nobody knows the length of", s.CPU)
	}
	p.write("stat", "cpu  250 0 200 950 0 0 0 0 0 0\n")
	if s := mustRead(t, r); !near(s.CPU, 0.5) {
		t.Errorf("CPU %v (%v), want 0.5", s.CPU, s.HasCPU)
	}
	if !strings.Contains(log.String(), "read again") || strings.Count(log.String(), "\n") != 2 {
		t.Errorf("the log has not one line for the end of the failure:\n%s", &log)
	}
}

func TestReadWhenDone(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("stopping")
	cancel(why)
	if s, err := New(Config{}).Read(ctx); !errors.Is(err, why) || s != (Sample{}) {
		t.Errorf("%+v, %v; want the cause", s, err)
	}
}

// Two readers in one process do not take each other's window.
func TestReadersAreApart(t *testing.T) {
	p := newProc(t)
	a, b := New(Config{Proc: p.dir}), New(Config{Proc: p.dir})
	mustRead(t, a)
	p.write("stat", "cpu  150 0 100 850 0 0 0 0 0 0\n")
	mustRead(t, b)
	if s := mustRead(t, a); !near(s.CPU, 0.5) {
		t.Errorf("CPU %v (%v), want 0.5", s.CPU, s.HasCPU)
	}
}

// This machine's own figures, whatever they are, are in their bounds.
func TestReadThisMachine(t *testing.T) {
	if _, err := os.Stat("/proc/meminfo"); err != nil {
		t.Skip("no /proc here")
	}
	before := time.Now()
	s := mustRead(t, New(Config{}))
	if !s.HasMemory || s.Memory <= 0 || s.Memory >= 1 || !s.HasLoad1 || s.HasCPU || s.At.Before(before) {
		t.Errorf("%+v", s)
	}
}

func BenchmarkRead(b *testing.B) {
	r := New(Config{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
