package wasm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"kecho/filters/dynamic"
)

// The exports of version 1 (spec.md).
const (
	exportMemory = "memory"
	exportBuffer = "kecho_buffer_1"
	exportFilter = "kecho_filter_1"
)

const (
	pageSize = 64 << 10
	maxInput = 1 << 20
	maxTable = 65_536 // elements
)

// Config bounds what modules may use; its zero value is ready for use.
type Config struct {
	// MaxModule is a module's size in bytes. Zero: 8 MiB.
	MaxModule int
	// Memory is that of one instance in bytes, rounded down to 64 KiB. Zero:
	// 16 MiB.
	Memory int
	// Instances is how many events one module works on at once. Zero: 4.
	Instances int
	// Start is the time that an instance may take to start. Zero: 250 ms.
	Start time.Duration
	// Run is the time that one event may take. Zero: 10 ms.
	Run time.Duration
}

// Compiler compiles modules. It is immutable.
type Compiler struct{ cfg Config }

var _ dynamic.Compiler = (*Compiler)(nil)

// New makes a Compiler.
func New(cfg Config) *Compiler {
	if cfg.MaxModule <= 0 {
		cfg.MaxModule = 8 << 20
	}
	if cfg.Memory < pageSize {
		cfg.Memory = 16 << 20
	}
	cfg.Memory = min(cfg.Memory, 1<<30) / pageSize * pageSize
	if cfg.Instances <= 0 {
		cfg.Instances = 4
	}
	if cfg.Start <= 0 {
		cfg.Start = 250 * time.Millisecond
	}
	if cfg.Run <= 0 {
		cfg.Run = 10 * time.Millisecond
	}
	return &Compiler{cfg: cfg}
}

// Compile reads a module in the binary format and starts its first instance.
// The program's Close frees both.
func (c *Compiler) Compile(d dynamic.Direction, module []byte) (dynamic.Program, error) {
	if len(module) > c.cfg.MaxModule {
		return nil, fmt.Errorf("module of %d bytes, at most %d", len(module), c.cfg.MaxModule)
	}
	if !bytes.HasPrefix(module, []byte("\x00asm\x01\x00\x00\x00")) {
		return nil, errors.New("not a WebAssembly module: it does not begin with \\0asm and version 1")
	}
	if n := tableElements(module); n > maxTable {
		return nil, fmt.Errorf("its tables have %d elements, at most %d", n, maxTable)
	}
	// Without reference types tables cannot grow.
	features := api.CoreFeaturesV2.SetEnabled(api.CoreFeatureReferenceTypes, false)
	rt := wazero.NewRuntimeWithConfig(context.Background(), wazero.NewRuntimeConfig().
		WithCoreFeatures(features).
		WithCloseOnContextDone(true))
	p, err := c.program(rt, d, module)
	if err != nil {
		return nil, errors.Join(err, rt.Close(context.Background()))
	}
	return p, nil
}

func (c *Compiler) program(rt wazero.Runtime, d dynamic.Direction, module []byte) (*program, error) {
	ctx := context.Background()
	code, err := rt.CompileModule(ctx, module)
	if err != nil {
		return nil, fmt.Errorf("read module: %w", err)
	}
	if err := checkImports(code); err != nil {
		return nil, err
	}
	if err := checkExports(code); err != nil {
		return nil, err
	}
	if n := uint64(code.ExportedMemories()[exportMemory].Min()) * pageSize; n > uint64(c.cfg.Memory) {
		return nil, fmt.Errorf("its memory begins with %d bytes, at most %d", n, c.cfg.Memory)
	}
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, rt); err != nil {
		return nil, fmt.Errorf("make WASI: %w", err)
	}
	p := &program{cfg: c.cfg, direction: d, runtime: rt, code: code, idle: make(chan *instance, c.cfg.Instances)}
	for range c.cfg.Instances - 1 {
		p.idle <- nil
	}
	first, err := p.start()
	if err != nil {
		return nil, err
	}
	p.idle <- first
	return p, nil
}

func checkImports(code wazero.CompiledModule) error {
	if len(code.ImportedMemories()) > 0 {
		return errors.New("it imports a memory: it must have its own")
	}
	for _, f := range code.ImportedFunctions() {
		if module, name, _ := f.Import(); module != wasi_snapshot_preview1.ModuleName {
			return fmt.Errorf("it imports %.60q of %.60q: a filter gets nothing from outside", name, module)
		}
	}
	return nil
}

func checkExports(code wazero.CompiledModule) error {
	if code.ExportedMemories()[exportMemory] == nil {
		return errors.New(`it does not export its memory as "memory"`)
	}
	const i32 = api.ValueTypeI32
	for name, params := range map[string][]api.ValueType{exportBuffer: {i32}, exportFilter: {i32, i32}} {
		f := code.ExportedFunctions()[name]
		if f == nil {
			return fmt.Errorf("it does not export the function %s", name)
		}
		if !slices.Equal(f.ParamTypes(), params) || !slices.Equal(f.ResultTypes(), []api.ValueType{i32}) {
			return fmt.Errorf("%s must have %d parameters and a result, all i32", name, len(params))
		}
	}
	return nil
}
