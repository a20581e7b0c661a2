package wasm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"kecho/channel"
	"kecho/filters/dynamic"
)

// What a run fails with, besides what a module does wrong itself.
var (
	ErrTime = errors.New("cut off: its time was up")
	ErrBusy = errors.New("every instance was busy")
)

// program is a compiled module with its instances.
type program struct {
	cfg       Config
	direction dynamic.Direction
	runtime   wazero.Runtime
	code      wazero.CompiledModule
	idle      chan *instance // as many as there may be; nil: one that is not started
}

// instance is one copy of the module; owned by who took it from idle.
type instance struct {
	module         api.Module
	memory         api.Memory
	bounded        *memory // which memory is
	buffer, filter api.Function
	input          []byte
	kept           []channel.Sink
	taken          []bool
}

// start makes an instance, within Config.Start.
func (p *program) start() (*instance, error) {
	ctx, cancel := context.WithTimeout(context.Background(), p.cfg.Start)
	defer cancel()
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize")
	bounded := &memory{most: p.cfg.Memory}
	m, err := p.runtime.InstantiateModule(bounded.within(ctx), p.code, config)
	if err != nil {
		return nil, fmt.Errorf("start module: %w", bounded.blame(cause(err)))
	}
	return &instance{
		module: m, memory: m.ExportedMemory(exportMemory), bounded: bounded,
		buffer: m.ExportedFunction(exportBuffer), filter: m.ExportedFunction(exportFilter),
	}, nil
}

// Run is dynamic.Program's.
func (p *program) Run(e *channel.Event, sinks []channel.Sink) ([]channel.Sink, error) {
	in, err := p.take()
	if err != nil {
		return nil, err
	}
	in.bounded.forgive()
	kept, err := p.run(in, e, sinks)
	if err = in.bounded.blame(err); err != nil {
		in.module.Close(context.Background())
		p.idle <- nil
		return nil, err
	}
	p.idle <- in
	return kept, nil
}

// take waits for an instance as long as a run may take.
func (p *program) take() (*instance, error) {
	var in *instance
	select {
	case in = <-p.idle:
	default:
		ctx, cancel := context.WithTimeout(context.Background(), p.cfg.Run)
		defer cancel()
		select {
		case in = <-p.idle:
		case <-ctx.Done():
			return nil, ErrBusy
		}
	}
	if in != nil {
		return in, nil
	}
	in, err := p.start()
	if err != nil {
		p.idle <- nil
	}
	return in, err
}

func (p *program) run(in *instance, e *channel.Event, sinks []channel.Sink) ([]channel.Sink, error) {
	in.input = appendInput(in.input[:0], p.direction, e, sinks)
	size := len(in.input)
	if size > maxInput {
		return nil, fmt.Errorf("event and sinks take %d bytes or more, at most %d", size, maxInput)
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.cfg.Run)
	defer cancel()
	offset, err := call(ctx, in.buffer, uint64(size))
	if err != nil {
		return nil, err
	}
	if !in.memory.Write(offset, in.input) {
		return nil, fmt.Errorf("%s returned %d, where memory has no %d bytes", exportBuffer, offset, size)
	}
	n, err := call(ctx, in.filter, uint64(offset), uint64(size))
	if err != nil {
		return nil, err
	}
	return in.keep(sinks, offset, int32(n))
}

func call(ctx context.Context, f api.Function, params ...uint64) (uint32, error) {
	results, err := f.Call(ctx, params...)
	if err != nil {
		return 0, cause(err)
	}
	return uint32(results[0]), nil
}

// keep moves the n sinks whose indices the module wrote at offset to the front.
func (in *instance) keep(sinks []channel.Sink, offset uint32, n int32) ([]channel.Sink, error) {
	if n < 0 {
		return nil, fmt.Errorf("it says that it failed: %d", n)
	}
	if int(n) > len(sinks) {
		return nil, fmt.Errorf("it keeps %d sinks of %d", n, len(sinks))
	}
	in.taken = slices.Grow(in.taken[:0], len(sinks))[:len(sinks)]
	clear(in.taken)
	in.kept = in.kept[:0]
	defer func() { clear(in.kept) }()
	for k := range uint32(n) {
		index, ok := in.memory.ReadUint32Le(offset + 4*k)
		if !ok || index >= uint32(len(sinks)) || in.taken[index] {
			return nil, fmt.Errorf("it keeps sink %d of %d, which is not there or is kept twice", index, len(sinks))
		}
		in.taken[index] = true
		in.kept = append(in.kept, sinks[index])
	}
	return sinks[:copy(sinks, in.kept)], nil
}

// Close is dynamic.Program's: it frees the module and its instances.
func (p *program) Close() error { return p.runtime.Close(context.Background()) }

// cause is a shorter word for what wazero says.
func cause(err error) error {
	var exit *sys.ExitError
	if !errors.As(err, &exit) {
		first, _, _ := strings.Cut(err.Error(), "\n") // the module's stack follows
		return errors.New(first)
	}
	if code := exit.ExitCode(); code != sys.ExitCodeDeadlineExceeded {
		return fmt.Errorf("it ended itself with exit code %d", code)
	}
	return ErrTime
}
