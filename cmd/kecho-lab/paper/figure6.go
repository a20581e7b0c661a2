package paper

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"syscall"
)

// figure6 is what an event over an active link takes beside idle links and
// subscriptions, each number of them in a process of its own.
func figure6(ctx context.Context, cfg Config) (lines []Line, busy []string, err error) {
	var all []*child
	defer func() { stopAll(all) }()
	var cpu, took contest
	for _, idle := range cfg.Idle {
		if most := openFiles()/2 - 100; idle > most {
			busy = append(busy, fmt.Sprintf("%d idle links are left out: a process may have %d open files here (ulimit -n)", idle, openFiles()))
			continue
		}
		cfg.Note(fmt.Sprintf("a hub with %d idle links", idle))
		var stands int
		p, err := startChild(ctx, cfg.Process, &stands, "hub", "--idle", strconv.Itoa(idle))
		if err != nil {
			return nil, nil, err
		}
		all = append(all, p)
		l := Line{Of: "AEM, Figure 6", What: fmt.Sprintf("an event over an active link, CPU, %d idle links and subscriptions", idle)}
		if idle > 0 {
			l.Goal, l.Paper = 1.05, "does not grow"
		}
		cpu.lines = append(cpu.lines, l)
		l.What = strings.Replace(l.What, "CPU", "submit to handler", 1)
		took.lines = append(took.lines, l)
	}
	cpu.turns, took.turns = make([][]float64, len(all)), make([][]float64, len(all))
	events := max(10, cfg.Events/4) // more and shorter turns: the ratio has a twentieth to show
	for i := range 6 * cfg.Turns {
		for j := range all {
			k := (i + j) % len(all)
			var one cost
			if err := all[k].ask(events, &one); err != nil {
				return nil, nil, err
			}
			cpu.turns[k], took.turns[k] = append(cpu.turns[k], one.CPU), append(took.turns[k], one.Took)
		}
	}
	return append(cpu.finish(), took.finish()...), busy, ctx.Err()
}

// openFiles is how many a process may have; the runtime has raised it as far as
// it goes.
func openFiles() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int(min(limit.Cur, 1<<20))
}
