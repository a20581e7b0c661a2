package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kecho/cmd/kecho-lab/events"
)

// ChannelConfig is a measurement of channels. Its zero values work but for
// Station, and for NATS where that is wanted.
type ChannelConfig struct {
	// Station is the command of one process, which calls events.Serve; flags
	// follow.
	Station []string
	// NATS is the path of nats-server; "": without it.
	NATS string
	// QUIC has kecho over QUIC beside kecho over TCP.
	QUIC bool
	// Sinks is how many processes hear the events. Zero: 8.
	Sinks int
	// Rate is how many events a second are submitted where their latency is
	// measured. Zero: 1,000.
	Rate float64
	// Sizes are of bodies, in bytes, in one measurement after the other. Zero:
	// 100.
	Sizes []int
	// Length is how long each is measured in each measurement. Zero: 5 s.
	Length time.Duration
	// Note, when set, is told what is done next.
	Note func(what string)
}

func (cfg *ChannelConfig) defaults() {
	if cfg.Sinks == 0 {
		cfg.Sinks = 8
	}
	if cfg.Rate == 0 {
		cfg.Rate = 1000
	}
	if len(cfg.Sizes) == 0 {
		cfg.Sizes = []int{100}
	}
	if cfg.Length == 0 {
		cfg.Length = 5 * time.Second
	}
	if cfg.Note == nil {
		cfg.Note = func(string) {}
	}
}

// Check says what is wrong with the configuration.
func (cfg ChannelConfig) Check() error {
	cfg.defaults()
	for _, n := range cfg.Sizes {
		if n < events.MinSize || n > 32<<10 {
			return fmt.Errorf("bodies of %d bytes: want %d to %d", n, events.MinSize, 32<<10)
		}
	}
	switch {
	case cfg.Sinks < 1 || cfg.Sinks > 64:
		return fmt.Errorf("%d sinks: want 1 to 64: they share one machine", cfg.Sinks)
	case !(cfg.Rate >= 1 && cfg.Rate <= 100_000):
		return fmt.Errorf("%v events a second: want 1 to 100000", cfg.Rate)
	case cfg.Length < time.Second || cfg.Length > time.Hour:
		return errors.New("want a length from 1 s to 1 h")
	}
	return nil
}

// ChannelLoad is what is measured: events of a size to so many sinks, at a rate
// or, with rate 0, as fast as they are taken.
type ChannelLoad struct {
	Sinks int     `json:"sinks"`
	Size  int     `json:"size"`
	Rate  float64 `json:"rate"`
}

func (l ChannelLoad) String() string {
	if l.Rate == 0 {
		return fmt.Sprintf("%d B to %d sinks, as fast as they are taken", l.Size, l.Sinks)
	}
	return fmt.Sprintf("%d B to %d sinks, %g events/s", l.Size, l.Sinks, l.Rate)
}

func (cfg *ChannelConfig) loads() (all []ChannelLoad) {
	for _, size := range cfg.Sizes {
		all = append(all, ChannelLoad{1, size, cfg.Rate})
		if cfg.Sinks > 1 {
			all = append(all, ChannelLoad{cfg.Sinks, size, cfg.Rate})
		}
		all = append(all, ChannelLoad{cfg.Sinks, size, 0})
	}
	return all
}

// Channels measures how long events take and what they cost, beside NATS if that
// is wanted. It returns the cause when ctx ends first.
func Channels(ctx context.Context, cfg ChannelConfig) (ChannelResult, error) {
	if err := cfg.Check(); err != nil {
		return ChannelResult{}, err
	}
	cfg.defaults()
	loads := cfg.loads()
	ctx, bounded := context.WithTimeoutCause(ctx, time.Duration(4*len(loads))*(cfg.Length+2*oneTurn)+settle, errors.New("the run did not end in time"))
	defer bounded()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	media := cfg.media()
	for _, m := range media {
		defer m.stop()
		cfg.Note("starting " + m.name)
		if err := m.start(ctx, cfg, fail); err != nil {
			return ChannelResult{}, fmt.Errorf("start %s: %w", m.name, err)
		}
	}
	res := ChannelResult{NATS: versionOf(media)}
	for _, load := range loads {
		cfg.Note(fmt.Sprintf("%v, %.0f s each", load, cfg.Length.Seconds()))
		t := &channelTurns{load: load, length: cfg.Length, all: speakers(media, load)}
		run, err := t.run(ctx)
		if cause := context.Cause(ctx); cause != nil {
			return ChannelResult{}, cause
		}
		if err != nil {
			return ChannelResult{}, fmt.Errorf("%v: %w", load, err)
		}
		res.Runs = append(res.Runs, run)
	}
	return res, nil
}
