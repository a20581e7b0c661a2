package live

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// turns measures contenders with so many clients, each for a while and then the
// next, so that what else the machine does meets them all.
type turns struct {
	all     []contender
	clients int
	length  time.Duration // of all turns of one contender
	dir     string
}

// oneTurn is how long a turn lasts, about.
const oneTurn = time.Second

// turn is what one contender did in one turn.
type turn struct {
	took   []float64 // milliseconds from asking to having, of all clients
	passed time.Duration
	cpu    time.Duration
}

func (t *turns) run(ctx context.Context) (LeaseRun, error) {
	desks := make([][]taker, len(t.all))
	for k, c := range t.all {
		for i := range t.clients {
			desk := c.taker(i)
			defer desk.close()
			desks[k] = append(desks[k], desk)
		}
		if err := serveAll(ctx, desks[k], func(i int) error { return once(ctx, desks[k][i], i) }); err != nil {
			return LeaseRun{}, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	n := max(2, int(t.length/oneTurn))
	done := make([][]turn, len(t.all))
	var syncs []float64
	before := t.spent()
	for i := range n {
		s, err := syncTimes(t.dir)
		if err != nil {
			return LeaseRun{}, err
		}
		syncs = append(syncs, s...)
		for j := range t.all {
			k := (i + j) % len(t.all)
			one, err := t.turn(ctx, t.all[k], desks[k], t.length/time.Duration(n))
			if err != nil {
				return LeaseRun{}, fmt.Errorf("%s: %w", t.all[k].name, err)
			}
			done[k] = append(done[k], one)
		}
	}
	return t.result(done, syncs, t.spent().since(before)), nil
}

// turn has all clients take and give back leases until the time is over.
func (t *turns) turn(ctx context.Context, c contender, desks []taker, length time.Duration) (turn, error) {
	took := make([][]float64, len(desks))
	cpu, began := cpuOfAll(c.processes()), time.Now()
	err := serveAll(ctx, desks, func(i int) error {
		for time.Since(began) < length {
			asked := time.Now()
			lease, err := desks[i].take(ctx, clientName(i))
			if err != nil {
				return err
			}
			took[i] = append(took[i], milliseconds(time.Since(asked)))
			if err := desks[i].release(ctx, lease, clientName(i)); err != nil {
				return err
			}
		}
		return nil
	})
	one := turn{passed: time.Since(began), cpu: cpuOfAll(c.processes()) - cpu}
	for _, list := range took {
		one.took = append(one.took, list...)
	}
	return one, err
}

// once takes a lease and gives it back, so that the connection is there.
func once(ctx context.Context, desk taker, i int) error {
	lease, err := desk.take(ctx, clientName(i))
	if err != nil {
		return err
	}
	return desk.release(ctx, lease, clientName(i))
}

func clientName(i int) string { return fmt.Sprint("client-", i) }

// serveAll does something for each desk at once.
func serveAll(ctx context.Context, desks []taker, do func(i int) error) error {
	errs := make([]error, len(desks))
	var wg sync.WaitGroup
	for i := range desks {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return errors.Join(errs...)
}

func cpuOfAll(processes []*process) (sum time.Duration) {
	for _, p := range processes {
		sum += p.cpu()
	}
	return sum
}

// spent is what the contenders, this process and the machine have used so far.
func (t *turns) spent() (g gauges) {
	for _, c := range t.all {
		g.front.cpu += cpuOfAll(c.processes())
	}
	g.at, g.self = time.Now(), cpuOf(os.Getpid())
	g.used, g.all = machineCPU()
	return g
}

// syncTimes is how long the disk takes now, in milliseconds, for what every
// lease needs at least: a few bytes appended and on the disk.
func syncTimes(dir string) (took []float64, err error) {
	f, err := os.CreateTemp(dir, "sync-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	for range 10 {
		began := time.Now()
		if _, err := f.Write(make([]byte, 512)); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		took = append(took, milliseconds(time.Since(began)))
	}
	return took, nil
}
