package wasm

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kecho/channel"
	"kecho/filters/dynamic"
)

const gpu channel.Key[int64] = "gpu"

func anEvent() *channel.Event {
	return &channel.Event{
		ID: channel.ID{Source: 9, Seq: 7}, Type: "render",
		Attrs: channel.Attrs{channel.Key[string]("user").Of("ann"), gpu.Of(5)},
		From:  channel.Attrs{channel.Key[bool]("up").Of(true), channel.Key[float64]("load").Of(0.5)},
	}
}

// gpuSinks is nodes 1, this one, to len(gpus) with so many GPUs; below 0: it
// says nothing of them.
func gpuSinks(gpus ...int64) []channel.Sink {
	sinks := make([]channel.Sink, len(gpus))
	for i, n := range gpus {
		sinks[i] = channel.Sink{Node: channel.NodeID(i + 1), Local: i == 0, Attrs: channel.Attrs{channel.Key[string]("name").Of("n")}}
		if n >= 0 {
			sinks[i].Attrs = append(sinks[i].Attrs, gpu.Of(n))
		}
	}
	return sinks
}

func nodesOf(sinks []channel.Sink) []channel.NodeID {
	var nodes []channel.NodeID
	for _, s := range sinks {
		nodes = append(nodes, s.Node)
	}
	return nodes
}

func compiled(t testing.TB, cfg Config, module []byte) dynamic.Program {
	t.Helper()
	p, err := New(cfg).Compile(dynamic.Out, module)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		name   string
		module handmade
		keeps  int
		want   string // in the error; empty: none
	}{
		{"keeps one", handmade{}, 1, ""},
		{"keeps none", handmade{filter: returns(0)}, 0, ""},
		{"fails", handmade{filter: returns(0x7d)}, 0, "it says that it failed: -3"},
		{"keeps too many", handmade{filter: returns(4)}, 0, "it keeps 4 sinks of 3"},
		{"keeps what is not there", handmade{filter: keepNinth}, 0, "it keeps sink 9 of 3"},
		{"keeps one twice", handmade{filter: keepTwice}, 0, "it keeps sink 0 of 3, which is not there or is kept twice"},
		{"traps", handmade{filter: traps}, 0, "unreachable"},
		{"traps before", handmade{buffer: traps}, 0, "unreachable"},
		{"has no buffer", handmade{buffer: nowhere}, 0, "kecho_buffer_1 returned 4294967280, where memory has no"},
		{"recurses", handmade{filter: recurses}, 0, "stack overflow"},
		{"spins", handmade{filter: spins}, 0, ErrTime.Error()},
		{"spins before", handmade{buffer: spins}, 0, ErrTime.Error()},
		{"grows and traps", handmade{filter: overgrows}, 0, "it wanted 1073741824 bytes of memory, at most 4194304: wasm error: unreachable"},
		{"grows as much as it may", handmade{filter: growsWell}, 0, ""},
		{"grows", handmade{filter: grows}, 0, "it wanted 1073741824 bytes of memory, at most 4194304: it says that it failed: -1"},
	} {
		cfg := testConfig()
		if c.want != ErrTime.Error() {
			cfg.Run = 10 * time.Second
		}
		p := compiled(t, cfg, c.module.bytes())
		for range 3 { // after a failure there is a new instance
			sinks := gpuSinks(1, 1, 1)
			kept, err := p.Run(anEvent(), sinks)
			if c.want == "" && (err != nil || len(kept) != c.keeps) {
				t.Errorf("%s: %d sinks, %v; want %d", c.name, len(kept), err, c.keeps)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%s: %v, want %s", c.name, err, c.want)
			}
			if err != nil && !slices.Equal(nodesOf(sinks), []channel.NodeID{1, 2, 3}) {
				t.Errorf("%s: failed and left %v", c.name, nodesOf(sinks))
			}
		}
	}
}

func TestRunInputTooLarge(t *testing.T) {
	p := compiled(t, testConfig(), handmade{}.bytes())
	if _, err := p.Run(anEvent(), make([]channel.Sink, 60_000)); err == nil || !strings.Contains(err.Error(), "at most 1048576") {
		t.Error(err)
	}
}

// TestRunConcurrently: with more events at once than instances all are decided
// about, or fail for want of an instance and of nothing else.
func TestRunConcurrently(t *testing.T) {
	cfg := testConfig()
	cfg.Run = 10 * time.Second
	p := compiled(t, cfg, handmade{}.bytes())
	var wrong atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if kept, err := p.Run(anEvent(), gpuSinks(1, 2)); err != nil || len(kept) != 1 {
					wrong.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if wrong.Load() != 0 {
		t.Errorf("%d of 800 runs failed", wrong.Load())
	}
}

func TestRunBusy(t *testing.T) {
	cfg := testConfig()
	p := compiled(t, cfg, handmade{}.bytes()).(*program)
	var taken []*instance
	for range cfg.Instances {
		taken = append(taken, <-p.idle)
	}
	if _, err := p.Run(anEvent(), gpuSinks(1)); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	for _, in := range taken {
		p.idle <- in
	}
}

// example is examples/filter-wasm as a module.
func example(t testing.TB) []byte {
	if testing.Short() {
		t.Skip("builds a module with the Go toolchain")
	}
	file := filepath.Join(t.TempDir(), "gpu.wasm")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", file, "kecho/examples/filter-wasm")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the example: %v\n%s", err, out)
	}
	module, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return module
}

func TestExample(t *testing.T) {
	cfg := testConfig()
	cfg.Memory, cfg.Run = 16<<20, 10*time.Second
	p := compiled(t, cfg, example(t))
	for _, c := range []struct {
		gpus []int64
		want []channel.NodeID
	}{
		{[]int64{9, 1, 4, -1, 2, 0}, []channel.NodeID{3, 5}},
		{[]int64{9, 0, -1, 3}, []channel.NodeID{4}},
		{[]int64{9}, nil},
		{nil, nil},
		{[]int64{0, 7, 7, 7}, []channel.NodeID{2, 3}},
	} {
		for range 50 {
			kept, err := p.Run(anEvent(), gpuSinks(c.gpus...))
			if got := nodesOf(kept); err != nil || !slices.Equal(got, c.want) {
				t.Fatalf("of %v it keeps %v, %v; want %v", c.gpus, got, err, c.want)
			}
		}
	}
}

// BenchmarkRun is the cost per event, over 8 sinks.
func BenchmarkRun(b *testing.B) {
	for _, c := range []struct {
		name   string
		module func(testing.TB) []byte
	}{
		{"handmade", func(testing.TB) []byte { return handmade{}.bytes() }},
		{"example", example},
	} {
		b.Run(c.name, func(b *testing.B) {
			cfg := testConfig()
			cfg.Memory, cfg.Run = 16<<20, 10*time.Second
			p := compiled(b, cfg, c.module(b))
			e, given := anEvent(), gpuSinks(1, 2, 3, 4, 5, 6, 7, 8)
			sinks := slices.Clone(given)
			b.ReportAllocs()
			for b.Loop() {
				copy(sinks, given)
				if _, err := p.Run(e, sinks); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
