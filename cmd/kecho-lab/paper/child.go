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
)

// child is a process of its own that takes orders and answers, each a line of
// JSON. It ends when its input does.
type child struct {
	cmd *exec.Cmd
	in  *json.Encoder
	end io.Closer
	out *bufio.Reader
}

// startChild starts argv, and reads what it says first into said.
func startChild(ctx context.Context, argv []string, said any, args ...string) (*child, error) {
	argv = slices.Concat(argv, args)
	p := &child{cmd: exec.CommandContext(ctx, argv[0], argv[1:]...)}
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	out, err2 := p.cmd.StdoutPipe()
	if err := errors.Join(err, err2, p.cmd.Start()); err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	p.in, p.end, p.out = json.NewEncoder(in), in, bufio.NewReader(out)
	if err := p.read(said); err != nil {
		p.stop()
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	return p, nil
}

func (p *child) read(v any) error {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("it ended: %w", err)
	}
	return json.Unmarshal(line, v)
}

// ask gives an order, and reads the answer.
func (p *child) ask(order, answer any) error {
	if err := p.in.Encode(order); err != nil {
		return fmt.Errorf("ask a process: %w", err)
	}
	return p.read(answer)
}

func (p *child) stop() {
	p.end.Close()
	p.cmd.Process.Kill() // it may have ended by itself
	p.cmd.Wait()         // it says that it was killed
}

func stopAll(all []*child) {
	for _, p := range all {
		p.stop()
	}
}
