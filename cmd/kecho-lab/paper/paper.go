package paper

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Config is a repetition of the papers' measurements. Its zero values work but
// for Process.
type Config struct {
	// Process is the command of which "hub --idle N" calls Hub, and "sink --name NAME" Sink. Nil:
	// AEM's Figure 6, and what OUT-filters save, are left out.
	Process []string
	// Idle is how many idle links there are beside an active one. Zero: 0, 100,
	// 1,000 and 5,000.
	Idle []int
	// Events are submitted in a turn of which there are Turns for each figure.
	// Zero: 1,000 and 10.
	Events, Turns int
	// Note, when set, is told what is done next.
	Note func(what string)
}

// Check says what is wrong with the configuration, and fills in what is zero.
func (cfg *Config) Check() error {
	if cfg.Idle == nil {
		cfg.Idle = []int{0, 100, 1000, 5000}
	}
	if cfg.Events == 0 {
		cfg.Events = 1000
	}
	if cfg.Turns == 0 {
		cfg.Turns = 10
	}
	if cfg.Note == nil {
		cfg.Note = func(string) {}
	}
	switch {
	case cfg.Events < 10 || cfg.Events > 100_000:
		return fmt.Errorf("%d events a turn: want 10 to 100000", cfg.Events)
	case cfg.Turns < 1 || cfg.Turns > 1000:
		return fmt.Errorf("%d turns: want 1 to 1000", cfg.Turns)
	case slices.Min(append([]int{0}, cfg.Idle...)) < 0 || slices.Max(append([]int{0}, cfg.Idle...)) > 10_000:
		return errors.New("want 0 to 10000 idle links")
	}
	return nil
}

// Run measures all of it.
func Run(ctx context.Context, cfg Config) (res Result, err error) {
	if err := cfg.Check(); err != nil {
		return res, err
	}
	for _, part := range []struct {
		what string
		run  func(context.Context, Config) ([]Line, error)
	}{{"filters' savings", figure7}, {"filters' own cost", overhead}, {"channels", table1}, {"configurations", subset}} {
		cfg.Note(part.what)
		lines, err := part.run(ctx, cfg)
		if err != nil {
			return res, fmt.Errorf("%s: %w", part.what, err)
		}
		res.Lines = append(res.Lines, lines...)
	}
	if cfg.Process == nil {
		return res, nil
	}
	lines, busy, err := figure6(ctx, cfg)
	if err != nil {
		return res, fmt.Errorf("idle links: %w", err)
	}
	res.Lines, res.Busy = append(res.Lines, lines...), append(res.Busy, busy...)
	return res, nil
}
