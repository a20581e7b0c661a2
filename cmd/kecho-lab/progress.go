package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"kecho/balancer/sim"
)

// How often progress is said: on a terminal the line is written over.
const (
	everyOnTerminal = 200 * time.Millisecond
	everyInLines    = 2 * time.Second
)

// progress says on standard error how much of all runs is done.
type progress struct {
	to       io.Writer // nil: nobody wants to know
	terminal bool
	now      func() time.Time

	mu      sync.Mutex // guards what follows
	configs []sim.Config
	shares  []float64
	began   time.Time
	last    time.Time
}

// newProgress is for a terminal, or for whoever asked for it.
func newProgress(w io.Writer, asked bool) *progress {
	p := &progress{now: time.Now, terminal: isTerminal(w)}
	if p.terminal || asked {
		p.to = w
	}
	return p
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (p *progress) begin(configs []sim.Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.configs, p.shares = configs, make([]float64, len(configs))
	p.began = p.now()
	p.last = p.began
}

// at notes that a share of run i is done.
func (p *progress) at(i int, share float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shares[i] = share
	every := everyInLines
	if p.terminal {
		every = everyOnTerminal
	}
	if now := p.now(); p.to != nil && now.Sub(p.last) >= every {
		p.last = now
		p.sayLocked(i)
	}
}

// sayLocked writes how many simulated seconds are done, of all runs.
func (p *progress) sayLocked(i int) {
	done, all, whole := 0.0, 0.0, 0
	for k, share := range p.shares {
		done += share * p.configs[k].Seconds
		all += p.configs[k].Seconds
		if share == 1 {
			whole++
		}
	}
	line := fmt.Sprintf("%.0f of %.0f simulated seconds, %d of %d runs, %.0f s; now %s, %s",
		done, all, whole, len(p.shares), p.now().Sub(p.began).Seconds(), p.configs[i].Scenario.Name, p.configs[i].Policy)
	if p.terminal {
		fmt.Fprintf(p.to, "\r%-79.79s", line)
		return
	}
	fmt.Fprintln(p.to, line)
}

// end says the last of it, or takes the line from the terminal.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.to == nil:
	case p.terminal:
		fmt.Fprintf(p.to, "\r%-79s\r", "")
	default:
		p.sayLocked(len(p.configs) - 1)
	}
}
