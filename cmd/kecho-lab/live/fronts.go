package live

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// FrontsConfig is a measurement of fronts. Its zero values work but for Kecho and
// Stand, and for the programs that are wanted.
type FrontsConfig struct {
	// Kecho is the path of the agents' program, HAProxy and Nginx of theirs; "":
	// without it.
	Kecho, HAProxy, Nginx string
	// Stand is the command that runs a fronts.Stand; the flags follow.
	Stand []string
	// Parts are what is measured, of FrontParts. Zero: all.
	Parts []string
	// Connections is how many clients there are, and Size how long answers are.
	// Zero: 64 of 1,024 bytes.
	Connections, Size int
	// Length is how long each is measured in each part. Zero: 10 s.
	Length time.Duration
	// Rate is the requests a second of the part latency. Zero: 2,000.
	Rate float64
	// Idle is how many connections do nothing in the part idle. Zero: 10,000.
	Idle int
	// Bytes is how much goes through in the part bytes. Zero: 1 GiB.
	Bytes int64
	// Note, when set, is told what is done next.
	Note func(what string)
}

// The parts of a measurement of fronts.
const (
	PartCPU        = "cpu"
	PartLatency    = "latency"
	PartIdle       = "idle"
	PartBytes      = "bytes"
	PartForwarded  = "forwarded"
	PartMiddleware = "middleware"
)

// FrontParts are all of them.
var FrontParts = []string{PartCPU, PartLatency, PartIdle, PartBytes, PartForwarded, PartMiddleware}

func (cfg *FrontsConfig) defaults() {
	if len(cfg.Parts) == 0 {
		cfg.Parts = FrontParts
	}
	setZero(&cfg.Connections, 64)
	setZero(&cfg.Size, 1024)
	setZero(&cfg.Length, 10*time.Second)
	setZero(&cfg.Rate, 2000)
	setZero(&cfg.Idle, 10_000)
	setZero(&cfg.Bytes, 1<<30)
	if cfg.Note == nil {
		cfg.Note = func(string) {}
	}
}

func setZero[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Check says what is wrong with the configuration.
func (cfg FrontsConfig) Check() error {
	cfg.defaults()
	for _, part := range cfg.Parts {
		if !slices.Contains(FrontParts, part) {
			return fmt.Errorf("there is no part %q; there are %v", part, FrontParts)
		}
	}
	switch {
	case cfg.Connections < 1 || cfg.Connections > 1000:
		return fmt.Errorf("%d connections: want 1 to 1000", cfg.Connections)
	case cfg.Size < 1 || cfg.Size > 1<<20:
		return fmt.Errorf("answers of %d bytes: want 1 to 1048576; the part bytes has long ones", cfg.Size)
	case cfg.Length < time.Second || cfg.Length > time.Hour:
		return errors.New("want a length from 1 s to 1 h")
	case !(cfg.Rate >= 1 && cfg.Rate <= 100_000):
		return fmt.Errorf("%v requests a second: want 1 to 100000", cfg.Rate)
	case cfg.Idle < 1 || cfg.Idle > 50_000:
		return fmt.Errorf("%d idle connections: want 1 to 50000", cfg.Idle)
	case cfg.Bytes < 1<<20 || cfg.Bytes > 1<<40:
		return fmt.Errorf("%d bytes through: want 1 MiB to 1 TiB", cfg.Bytes)
	}
	return nil
}

// Fronts measures what fronts cost: agents, and others beside them. They have one
// CPU, and the web server and the clients, which are this process from then on,
// another. It returns the cause when ctx ends first.
func Fronts(ctx context.Context, cfg FrontsConfig) (FrontsResult, error) {
	if err := cfg.Check(); err != nil {
		return FrontsResult{}, err
	}
	cfg.defaults()
	// Six parts of some contenders each, and what it takes to begin.
	bound := time.Duration(60)*cfg.Length + 10*settle
	ctx, bounded := context.WithTimeoutCause(ctx, bound, errors.New("the measurement did not end in time"))
	defer bounded()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	b, err := newFrontBench(ctx, cfg, fail)
	if err != nil {
		return FrontsResult{}, err
	}
	defer b.stop()
	for _, part := range FrontParts {
		if !slices.Contains(cfg.Parts, part) {
			continue
		}
		cfg.Note(part)
		before := b.gaugeAll()
		if err := b.part(ctx, part); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return FrontsResult{}, fmt.Errorf("%s: %w", part, err)
		}
		b.busy(part, b.gaugeAll().since(before))
	}
	return b.result, nil
}

// part measures one of the parts.
func (b *frontBench) part(ctx context.Context, part string) error {
	switch part {
	case PartCPU:
		return b.cpu(ctx)
	case PartLatency:
		return b.latency(ctx)
	case PartIdle:
		return b.idle(ctx)
	case PartBytes:
		return b.bytes(ctx)
	case PartForwarded:
		return b.forwarded(ctx)
	}
	return b.middleware()
}
