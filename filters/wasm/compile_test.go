package wasm

import (
	"strings"
	"testing"
	"time"

	"kecho/filters/dynamic"
)

// testConfig gives a loaded machine time to start modules.
func testConfig() Config {
	return Config{Memory: 4 << 20, Start: 10 * time.Second, Run: 50 * time.Millisecond, Instances: 2}
}

func TestCompileRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		module []byte
		want   string
	}{
		{"nothing", nil, "not a WebAssembly module"},
		{"text", []byte("(module)"), "not a WebAssembly module"},
		{"another version", []byte("\x00asm\x0d\x00\x01\x00"), "not a WebAssembly module"},
		{"cut short", handmade{}.bytes()[:40], "read module: "},
		{"no memory", handmade{noMemory: true}.bytes(), `does not export its memory`},
		{"another name", handmade{renamed: "kecho_filter_2"}.bytes(), "does not export the function kecho_filter_1"},
		{"another type", handmade{params: 1}.bytes(), "kecho_filter_1 must have 2 parameters and a result, all i32"},
		{"imports", handmade{imports: "env"}.bytes(), `it imports "now" of "env": a filter gets nothing from outside`},
		{"no such WASI", handmade{imports: "wasi_snapshot_preview1"}.bytes(), "start module: "},
		{"memory", handmade{pages: 100}.bytes(), "its memory begins with 6553600 bytes, at most 4194304"},
		{"a large table", handmade{table: []byte{0x70, 0, 0x80, 0x80, 0x80, 0x40}}.bytes(), "its tables have 134217728 elements, at most 65536"},
		{"a large bounded table", handmade{table: []byte{0x70, 1, 0x81, 0x80, 4, 0xff, 0xff, 0xff, 7}}.bytes(), "its tables have 65537 elements"},
		{"start traps", handmade{start: traps}.bytes(), "start module: "},
		{"too long", make([]byte, 9<<20), "module of 9437184 bytes, at most 8388608"},
	} {
		_, err := New(testConfig()).Compile(dynamic.In, c.module)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	cfg := testConfig()
	cfg.Start = 50 * time.Millisecond
	if _, err := New(cfg).Compile(dynamic.In, handmade{start: spins}.bytes()); err == nil || !strings.Contains(err.Error(), ErrTime.Error()) {
		t.Error("a start that spins:", err)
	}
	p, err := New(testConfig()).Compile(dynamic.In, handmade{start: nothing, table: []byte{0x70, 0, 8}}.bytes())
	if err != nil {
		t.Fatal("a start that ends, and a table that fits:", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func FuzzTableElements(f *testing.F) {
	f.Add(handmade{table: []byte{0x70, 0, 0x80, 0x80, 0x80, 0x40}}.bytes())
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x04\x05\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, module []byte) {
		if len(module) >= 8 {
			tableElements(module) // ends, and does not panic
		}
	})
}
