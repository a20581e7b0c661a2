package live

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"time"

	"kecho/balancer"
	"kecho/balancer/policy"
	"kecho/cmd/kecho-lab/fronts"
)

// inTurns has each of n contenders do something for a while and then the next, n
// times over, each first once, so that what else the machine does meets them all.
func (b *frontBench) inTurns(ctx context.Context, n int, do func(k int, length time.Duration) error) error {
	rounds := max(3, int(b.cfg.Length/oneTurn))
	for round := range rounds {
		for j := range n {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := do((round+j)%n, b.cfg.Length/time.Duration(rounds)); err != nil {
				return err
			}
		}
	}
	return nil
}

// loads connects so many clients to each door.
func loads(ctx context.Context, doors []*door, n, size int) (all []*fronts.Load, err error) {
	for _, d := range doors {
		l, err := fronts.Connect(ctx, d.at, n, size)
		if err != nil {
			closeAll(all)
			return nil, fmt.Errorf("%s: %w", d.name, err)
		}
		all = append(all, l)
	}
	return all, nil
}

func closeAll(all []*fronts.Load) {
	for _, l := range all {
		l.Close()
	}
}

// work is a closed-loop turn of one door.
type work struct {
	requests int
	passed   time.Duration
	cpu      time.Duration
}

// closedLoop has the doors take turns, and returns what each did in each.
func (b *frontBench) closedLoop(ctx context.Context, doors []*door, connections int) ([][]work, error) {
	all, err := loads(ctx, doors, connections, b.cfg.Size)
	if err != nil {
		return nil, err
	}
	defer closeAll(all)
	for i, d := range doors { // who has just been started is slow
		if _, err := all[i].Run(ctx, oneTurn/2); err != nil {
			return nil, fmt.Errorf("%s: %w", d.name, err)
		}
	}
	return b.turnsOf(ctx, doors, all)
}

func (b *frontBench) turnsOf(ctx context.Context, doors []*door, all []*fronts.Load) ([][]work, error) {
	done := make([][]work, len(doors))
	err := b.inTurns(ctx, len(doors), func(k int, length time.Duration) error {
		cpu, began := doors[k].cpu(), time.Now()
		n, err := all[k].Run(ctx, length)
		if err != nil {
			return fmt.Errorf("%s: %w", doors[k].name, err)
		}
		done[k] = append(done[k], work{n, time.Since(began), doors[k].cpu() - cpu})
		return nil
	})
	return done, err
}

// cpu is what a request on the local path costs.
func (b *frontBench) cpu(ctx context.Context) error {
	relay, err := b.extra(ctx, byRelay, fronts.Relay)
	if err != nil {
		return err
	}
	defer relay.stop()
	doors := append(slices.Clone(b.doors), relay)
	done, err := b.closedLoop(ctx, doors, b.cfg.Connections)
	if err != nil {
		return err
	}
	b.result.CPU = costsOf(doors, done)
	return nil
}

// extra is a stand that only one part needs.
func (b *frontBench) extra(ctx context.Context, name, kind string) (d *door, err error) {
	err = b.onFront(func() error {
		d, err = b.stand(ctx, name, kind, "--to", b.web)
		return err
	})
	return d, err
}

// latency is what a front adds to the time of a request while it has little to do.
func (b *frontBench) latency(ctx context.Context) error {
	doors := append([]*door{{name: direct, at: b.web}}, b.doors...)
	all, err := loads(ctx, doors, b.cfg.Connections, b.cfg.Size)
	if err != nil {
		return err
	}
	defer closeAll(all)
	done := make([][][]float64, len(doors))
	err = b.inTurns(ctx, len(doors), func(k int, length time.Duration) error {
		took, err := all[k].Pace(ctx, length, b.cfg.Rate)
		if err != nil {
			return fmt.Errorf("%s: %w", doors[k].name, err)
		}
		us := make([]float64, len(took))
		for i, d := range took {
			us[i] = float64(d) / float64(time.Microsecond)
		}
		slices.Sort(us)
		done[k] = append(done[k], us)
		return nil
	})
	b.result.Latency = latenciesOf(doors, done)
	return err
}

// active is how many connections work beside the idle ones.
const active = 100

// idle is what connections on which nothing happens cost: two agents of each kind
// take turns, of which one has them.
func (b *frontBench) idle(ctx context.Context) error {
	for _, name := range []string{byKecho, byKechoSlow} {
		free := b.door(name)
		if free == nil {
			continue
		}
		row, err := b.idleOf(ctx, free)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		b.result.Idle = append(b.result.Idle, row)
	}
	return nil
}

func (b *frontBench) idleOf(ctx context.Context, free *door) (row FrontIdle, err error) {
	var full *door
	start := b.kecho
	if free.name == byKechoSlow {
		start = b.kechoSlow
	}
	if err := b.onFront(func() (err error) { full, err = start(ctx); return err }); err != nil {
		return row, err
	}
	defer full.stop()
	doors := []*door{free, full}
	all, err := loads(ctx, doors, active, b.cfg.Size)
	if err != nil {
		return row, err
	}
	defer closeAll(all)
	for _, l := range all {
		if _, err := l.Run(ctx, oneTurn); err != nil {
			return row, err
		}
	}
	before := full.resident()
	idle, err := fronts.Connect(ctx, full.at, b.cfg.Idle, b.cfg.Size)
	if err != nil {
		return row, err
	}
	defer idle.Close()
	row = FrontIdle{Name: free.name, Idle: b.cfg.Idle, KiB: (full.resident() - before) * 1024 / float64(b.cfg.Idle)}
	done, err := b.turnsOf(ctx, doors, all)
	if err != nil {
		return row, err
	}
	row.ratios(done[1], done[0])
	row.Lost, _ = idle.Again() // why does not matter: the number does
	return row, nil
}

// bytes is what a long answer costs.
func (b *frontBench) bytes(ctx context.Context) error {
	doors := slices.Clone(b.doors)
	for name, kind := range map[string]string{byRelay: fronts.Relay, bySplice: fronts.Splice} {
		d, err := b.extra(ctx, name, kind)
		if err != nil {
			return err
		}
		defer d.stop()
		doors = append(doors, d)
	}
	slices.SortStableFunc(doors[len(doors)-2:], func(x, y *door) int { return len(x.name) - len(y.name) })
	const rounds = 4
	rows := make([]FrontBytes, len(doors))
	for range rounds {
		for k, d := range doors {
			before := d.resident()
			most := watchMost(d)
			cpu := d.cpu()
			err := fronts.Fetch(ctx, d.at, b.cfg.Bytes/rounds)
			rows[k].cpu = append(rows[k].cpu, float64(d.cpu()-cpu)/float64(b.cfg.Bytes/rounds))
			rows[k].Name, rows[k].Growth = d.name, max(rows[k].Growth, most()-before)
			if err != nil {
				return fmt.Errorf("%s: %w", d.name, err)
			}
		}
	}
	b.result.Bytes = bytesOf(rows)
	return nil
}

// watchMost looks at a door's memory until the function that it returns is called,
// which returns the most that it was, in MiB.
func watchMost(d *door) func() float64 {
	stop, most := make(chan struct{}), make(chan float64)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		top := d.resident()
		for {
			select {
			case <-tick.C:
				top = max(top, d.resident())
			case <-stop:
				most <- max(top, d.resident())
				return
			}
		}
	}()
	return func() float64 { close(stop); return <-most }
}

// forwarded is what a request costs both agents that a peer serves, because its
// own web server cannot be reached, beside one that stays.
func (b *frontBench) forwarded(ctx context.Context) error {
	var pair *door
	if err := b.onFront(func() (err error) {
		pair, err = b.agentsDoor(ctx, "two agents", nobody+","+b.web)
		return err
	}); err != nil {
		return err
	}
	defer pair.stop()
	doors := []*door{b.door(byKecho), pair}
	done, err := b.closedLoop(ctx, doors, b.cfg.Connections)
	if err != nil {
		return err
	}
	b.result.Forwarded = forwardedOf(done[0], done[1])
	return nil
}

// nobody is where nothing listens.
const nobody = "127.0.0.1:1"

// middleware is what a request costs that stays in a program with an agent in it,
// in this process.
func (b *frontBench) middleware() error {
	body := make([]byte, b.cfg.Size)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	front, err := balancer.New(balancer.Config{
		Name: "bench", Handler: handler, Policy: policy.Config{Places: 64},
		Observe: func(balancer.Route, int, time.Duration) {},
	})
	if err != nil {
		return err
	}
	r, err := http.NewRequest(http.MethodGet, "http://web/", nil)
	if err != nil {
		return err
	}
	w := &nothing{header: make(http.Header)}
	const calls = 200_000
	bare, _ := timed(calls, func() { handler.ServeHTTP(w, r) })
	took, allocs := timed(calls, func() { front.ServeHTTP(w, r) })
	b.result.Middleware = &FrontMiddleware{Nanoseconds: took - bare, Allocations: allocs}
	return nil
}

// timed is how long one call takes in nanoseconds, and how often it allocates.
func timed(calls int, do func()) (ns, allocs float64) {
	do()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := cpuOf(0)
	for range calls {
		do()
	}
	used := cpuOf(0) - began
	runtime.ReadMemStats(&after)
	return float64(used) / float64(calls), float64(int((after.Mallocs - before.Mallocs)) / calls)
}

// nothing is where an answer goes that nobody reads.
type nothing struct{ header http.Header }

func (w *nothing) Header() http.Header         { return w.header }
func (w *nothing) WriteHeader(int)             {}
func (w *nothing) Write(p []byte) (int, error) { return len(p), nil }
func (w *nothing) Flush()                      {}
func (w *nothing) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(io.Discard, r)
}
