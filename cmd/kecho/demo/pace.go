package demo

import (
	"context"
	"iter"
	"math/rand/v2"
	"time"
)

// poisson is the moments of a Poisson process of rate a second, since its
// start. It has no end.
func poisson(rate float64) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		var at time.Duration
		for {
			at += time.Duration(rand.ExpFloat64() / rate * float64(time.Second))
			if !yield(at) {
				return
			}
		}
	}
}

// pace waits for moments, one after the other, and calls beat between them.
type pace struct {
	start    time.Time
	sleep    func(ctx context.Context, d time.Duration)
	beat     func(elapsed time.Duration)
	nextBeat time.Time
}

const beatEvery = 500 * time.Millisecond

func newPace(sleep func(context.Context, time.Duration), beat func(time.Duration)) *pace {
	start := time.Now()
	return &pace{start: start, sleep: sleep, beat: beat, nextBeat: start.Add(beatEvery)}
}

// until waits for a moment. One that has passed is not waited for, so who was
// late catches up. It is false when ctx ends first.
func (p *pace) until(ctx context.Context, due time.Time) bool {
	for now := time.Now(); now.Before(due) && ctx.Err() == nil; now = time.Now() {
		if !now.Before(p.nextBeat) {
			p.beat(now.Sub(p.start))
			p.nextBeat = p.nextBeat.Add(beatEvery)
		}
		wake := due
		if p.nextBeat.Before(due) {
			wake = p.nextBeat
		}
		p.sleep(ctx, wake.Sub(now))
	}
	return ctx.Err() == nil
}

// pause is a sleep by a timer.
func pause(ctx context.Context, d time.Duration) { waited(ctx, d) }
