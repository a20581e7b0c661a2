package paper

import (
	"context"
	"fmt"
	"slices"
	"time"

	"kecho/channel"
	"kecho/filters"
	"kecho/filters/dynamic"
	"kecho/filters/expression"
)

// overhead is what a run of a filter over 8 sinks costs, beside the paper's 0.9
// and 1 us for a few comparisons.
func overhead(ctx context.Context, cfg Config) (lines []Line, err error) {
	type kind struct {
		line Line
		run  dynamic.Program
	}
	native := keeping(1)
	kinds := []kind{{Line{What: "native, a few comparisons", Paper: "0.9 us IN, 1 us OUT", Goal: .1}, dynamic.Native(native)}}
	for _, source := range []string{`type == "probe"`, `type == "probe" && priority >= normal && number(event, "cost", 0) < 0.6`, `sinks | filter(.load < 0.8)`, `sinks | filter(!.local && .load < 0.8) | sortBy(.load) | take(2)`} {
		p, err := expression.New(expression.Config{}).Compile(dynamic.Out, []byte(source))
		if err != nil {
			return nil, err
		}
		kinds = append(kinds, kind{Line{What: "expression, " + source, Goal: 1}, p})
	}
	e := &channel.Event{Type: probe, Attrs: channel.Attrs{channel.Key[float64]("cost").Of(.5)}}
	given := make([]channel.Sink, 8)
	for i := range given {
		given[i] = channel.Sink{Node: channel.NodeID(i + 1), Attrs: channel.Attrs{filters.Load.Of(float64(i*5%8) / 8)}}
	}
	medians := make([][]float64, len(kinds))
	for range cfg.Turns {
		for i, k := range kinds {
			took, err := repeated(k.run, e, given, cfg.Events)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k.line.What, err)
			}
			medians[i] = append(medians[i], took)
		}
	}
	for i, k := range kinds {
		k.line.Of, k.line.Took = "KECho, Figure 7", middle(medians[i])
		k.line.What = "a filter's run over 8 sinks: " + k.line.What
		lines = append(lines, k.line)
	}
	return lines, ctx.Err()
}

// repeated is the microseconds of one run, the least of a few times of many: what
// interrupts only adds.
func repeated(p dynamic.Program, e *channel.Event, given []channel.Sink, events int) (least float64, err error) {
	sinks := slices.Clone(given)
	for range 10 {
		began := time.Now()
		for range events {
			copy(sinks, given)
			if _, err := p.Run(e, sinks); err != nil {
				return 0, err
			}
		}
		if took := float64(time.Since(began)) / 1e3 / float64(events); least == 0 || took < least {
			least = took
		}
	}
	return least, nil
}
