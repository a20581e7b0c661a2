package paper

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"sync"
	"syscall"
	"time"

	"kecho/channel"
	"kecho/channel/link"
)

// hub is a node with one active link and channel, and idle ones.
type hub struct {
	town *town
	work []*channel.Channel
}

// cost is what an event takes, in microseconds: CPU time of the process, with
// what it uses while it waits, and from submit to handler.
type cost struct {
	CPU  float64 `json:"cpu_us"`
	Took float64 `json:"took_us"`
}

// cpuTime is the process's so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// idlePing is between two pings of an idle link: they would be most of what is
// measured.
const idlePing = 10 * time.Minute

// settleEvents are not measured: links that have just come up tell each other
// what is open.
const settleEvents = 500

// Hub has so many idle links and subscriptions beside an active one. It writes a
// line to out when they stand, and then one for each line of in: how long that
// many events cost (cost), as JSON. It returns when in ends.
func Hub(ctx context.Context, idle int, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	h, err := newHub(ctx, idle, &wg)
	if err != nil {
		return err
	}
	defer h.town.stop()
	if _, err := delivering(ctx, h.work, settleEvents); err != nil {
		return err
	}
	runtime.GC() // of what it took to make the links
	answer := json.NewEncoder(out)
	if err := answer.Encode(idle); err != nil {
		return err
	}
	for orders := bufio.NewScanner(in); orders.Scan(); {
		var events int
		if _, err := fmt.Sscan(orders.Text(), &events); err != nil {
			return fmt.Errorf("%q: want a number of events", orders.Text())
		}
		before := cpuTime()
		took, err := delivering(ctx, h.work, events)
		if err != nil {
			return err
		}
		used := (cpuTime() - before).Seconds() * 1e6 / float64(events)
		if err := answer.Encode(cost{used, medianOf(took)}); err != nil {
			return err
		}
	}
	return nil
}

// newHub starts both nodes of the active link and the idle ones, whose
// goroutines are wg's and end with ctx.
func newHub(ctx context.Context, idle int, wg *sync.WaitGroup) (*hub, error) {
	t, err := newTown(ctx, 2, link.Config{Dial: dial, PingInterval: idlePing, DeadAfter: 3 * idlePing, DialTimeout: patience, HelloTimeout: patience})
	if err != nil {
		return nil, err
	}
	work, err := t.open(ctx, "work")
	if err != nil {
		t.stop()
		return nil, err
	}
	for i := range idle {
		for _, c := range work {
			if _, err := c.SubscribeInline(channel.Match{Type: channel.Type(fmt.Sprint("idle ", i))}, func(*channel.Event) {}); err != nil {
				t.stop()
				return nil, err
			}
		}
	}
	if err := t.idle(ctx, idle, wg); err != nil {
		t.stop()
		return nil, err
	}
	return &hub{t, work}, nil
}
