package paper

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// figure6 is what an event over an active link takes beside idle links and
// subscriptions, each number of them in a process of its own.
func figure6(ctx context.Context, cfg Config) (lines []Line, busy []string, err error) {
	var all []*hubProcess
	defer func() {
		for _, p := range all {
			p.stop()
		}
	}()
	var cpu, took contest
	for _, idle := range cfg.Idle {
		if most := openFiles()/2 - 100; idle > most {
			busy = append(busy, fmt.Sprintf("%d idle links are left out: a process may have %d open files here (ulimit -n)", idle, openFiles()))
			continue
		}
		cfg.Note(fmt.Sprintf("a hub with %d idle links", idle))
		p, err := startHub(ctx, cfg.Hub, idle)
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
	for i := range 2 * cfg.Turns {
		for j := range all {
			k := (i + j) % len(all)
			one, err := all[k].measure(events)
			if err != nil {
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

// hubProcess is a process that calls Hub. It ends when its input does.
type hubProcess struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startHub(ctx context.Context, argv []string, idle int) (*hubProcess, error) {
	argv = append(slices.Clone(argv), "--idle", strconv.Itoa(idle))
	p := &hubProcess{cmd: exec.CommandContext(ctx, argv[0], argv[1:]...)}
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	out, err2 := p.cmd.StdoutPipe()
	if err := errors.Join(err, err2, p.cmd.Start()); err != nil {
		return nil, fmt.Errorf("start a hub: %w", err)
	}
	p.in, p.out = in, bufio.NewReader(out)
	var stands int
	if err := p.read(&stands); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func (p *hubProcess) read(v any) error {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("a hub ended: %w", err)
	}
	return json.Unmarshal(line, v)
}

// measure is what one of so many events costs.
func (p *hubProcess) measure(events int) (one cost, err error) {
	if _, err := fmt.Fprintln(p.in, events); err != nil {
		return one, fmt.Errorf("ask a hub: %w", err)
	}
	return one, p.read(&one)
}

func (p *hubProcess) stop() {
	p.in.Close()
	p.cmd.Process.Kill() // it may have ended by itself
	p.cmd.Wait()         // it says that it was killed
}
