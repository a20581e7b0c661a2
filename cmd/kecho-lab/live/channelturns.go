package live

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"kecho/cmd/kecho-lab/events"
)

// speaker is a medium by one of its subjects.
type speaker struct {
	name    string
	medium  *medium
	subject string
}

// speakers are who takes a load, kecho first. A flood would overrun the queues
// that kecho's sinks hear by: it is sent to those who hear on their links.
func speakers(media []*medium, load ChannelLoad) (all []speaker) {
	subject := subjectAll
	if load.Sinks == 1 {
		subject = subjectOne
	}
	for _, m := range media {
		all = append(all, speaker{m.name, m, subject})
		if m.broker == "" && load.Rate > 0 {
			all = append(all, speaker{m.name + "-queue", m, subject + events.Queued})
		}
	}
	return all
}

// channelTurns measures speakers under one load, each for a while and then the
// next.
type channelTurns struct {
	load   ChannelLoad
	length time.Duration // of all turns of one speaker
	all    []speaker
}

// channelTurn is what one speaker did in one turn.
type channelTurn struct {
	events, delivered int
	took              []float64 // microseconds from submit to handler, at every sink
	passed            time.Duration
	cpu               time.Duration
	late              time.Duration
}

func (t *channelTurns) run(ctx context.Context) (ChannelRun, error) {
	for _, s := range t.all { // who has just been started is slow
		if _, err := t.turn(ctx, s, oneTurn/4); err != nil {
			return ChannelRun{}, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	n := max(2, int(t.length/oneTurn))
	done := make([][]channelTurn, len(t.all))
	before := t.spent()
	for i := range n {
		for j := range t.all {
			k := (i + j) % len(t.all)
			one, err := t.turn(ctx, t.all[k], t.length/time.Duration(n))
			if err != nil {
				return ChannelRun{}, fmt.Errorf("%s: %w", t.all[k].name, err)
			}
			done[k] = append(done[k], one)
		}
	}
	return t.result(done, t.spent().since(before)), nil
}

// turn has the source send, and waits until the sinks have heard it all.
func (t *channelTurns) turn(ctx context.Context, s speaker, length time.Duration) (channelTurn, error) {
	sinks := s.medium.sinks[:t.load.Sinks]
	heard := make([]events.Heard, len(sinks))
	each := func(do func(i int) error) error { return together(len(sinks), do) }
	if err := each(func(i int) error { return sinks[i].order(ctx, "/clear", struct{}{}, nil) }); err != nil {
		return channelTurn{}, err
	}
	cpu := cpuOfAll(s.medium.processes())
	var sent events.Sent
	order := events.Send{Subject: s.subject, Size: t.load.Size, Rate: t.load.Rate, For: length}
	if err := s.medium.source.order(ctx, "/send", order, &sent); err != nil {
		return channelTurn{}, err
	}
	if err := each(func(i int) error { return sinks[i].order(ctx, "/heard", events.Hear{Events: sent.Events}, &heard[i]) }); err != nil {
		return channelTurn{}, err
	}
	one := channelTurn{events: sent.Events, cpu: cpuOfAll(s.medium.processes()) - cpu, late: sent.Late}
	end := sent.Ended
	for _, h := range heard {
		one.delivered += h.Events
		end = max(end, h.Last)
		for _, ns := range h.Took {
			one.took = append(one.took, float64(ns)/1e3)
		}
	}
	one.passed = time.Duration(end - sent.Began)
	return one, nil
}

// together does something for each of n at once.
func together(n int, do func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// spent is what the speakers, this process and the machine have used so far.
func (t *channelTurns) spent() (g gauges) {
	seen := map[*medium]bool{}
	for _, s := range t.all {
		if !seen[s.medium] {
			seen[s.medium] = true
			g.front.cpu += cpuOfAll(s.medium.processes())
		}
	}
	g.at, g.self = time.Now(), cpuOf(os.Getpid())
	g.used, g.all = machineCPU()
	return g
}
