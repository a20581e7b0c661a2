package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
	"kecho/agent/cloudevents"
)

func replyCommand() *cli.Command {
	return &cli.Command{
		Name: "reply", Usage: "answer a channel's requests with what a command prints", ArgsUsage: "NAME -- COMMAND [ARGUMENT...]",
		Description: "The command runs for each request, one at a time, as long as the request has. It finds the\n" +
			"data on its standard input, and KECHO_ID, KECHO_SOURCE, KECHO_TYPE and KECHO_SUBJECT in its\n" +
			"environment; what it prints, without the last newline, is the data of the answer, 32 KiB at\n" +
			"most. When it fails there is none.",
		Flags: append([]cli.Flag{
			&cli.StringSliceFlag{Name: "type", Usage: "only requests of this `TYPE`; may be repeated"},
			&cli.StringFlag{Name: "source", DefaultText: "/ and the host's name", Usage: "who answers, as a `URI`"},
		}, askFlags()...),
		Action: reply,
	}
}

const (
	maxReply   = 32 << 10 // as base64 it is less than what the agent reads
	replyTime  = time.Minute
	replyGrace = time.Second // from TERM to KILL
)

func reply(c *cli.Context) error {
	args := c.Args().Slice()
	if len(args) < 3 || args[1] != "--" {
		return usageError(c, "want a channel, -- and a command")
	}
	if _, err := exec.LookPath(args[2]); err != nil {
		return usageError(c, "%v", err)
	}
	agent, patience, err := whom(c)
	if err != nil {
		return err
	}
	return follow(c, api.Selection{Types: c.StringSlice("type")}, func(item api.ChannelItem) error {
		if asks, _ := item.Event.Attributes["kechoasks"].(bool); !asks {
			return nil
		}
		out, err := output(c.Context, item.Event, args[2:])
		if err == nil {
			err = sendReply(c, agent, patience, answerTo(c, item.Event, out))
		}
		if err != nil && c.Context.Err() == nil { // who asks next may have an answer
			report(c.App.ErrWriter, fmt.Errorf("request %.80s of %.80s has no answer: %w", item.Event.Text(cloudevents.ID), item.Event.Text(cloudevents.Source), err))
		}
		return nil
	})
}

// output is what the command prints for a request.
func output(ctx context.Context, e cloudevents.Event, args []string) ([]byte, error) {
	ttl, err := time.ParseDuration(e.Text("kechottl"))
	if err != nil {
		ttl = replyTime
	}
	ctx, cancel := context.WithTimeout(ctx, min(ttl, replyTime))
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = replyGrace
	cmd.Stdin, cmd.Stderr = bytes.NewReader(e.Data), os.Stderr
	cmd.Env = append(os.Environ(), "KECHO_ID="+e.Text(cloudevents.ID), "KECHO_SOURCE="+e.Text(cloudevents.Source),
		"KECHO_TYPE="+e.Text(cloudevents.Type), "KECHO_SUBJECT="+e.Text("subject"))
	var printed firstBytes
	cmd.Stdout = &printed
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, errors.New("the command took longer than the request has")
	case err != nil:
		return nil, fmt.Errorf("the command: %w", err)
	case len(printed) > maxReply:
		return nil, fmt.Errorf("the command printed more than %d bytes", maxReply)
	}
	return bytes.TrimSuffix(printed, []byte("\n")), nil
}

// firstBytes keeps a little more than what an answer may have.
type firstBytes []byte

func (f *firstBytes) Write(b []byte) (int, error) {
	*f = append(*f, b[:min(len(b), maxReply+1-len(*f))]...)
	return len(b), nil
}

func answerTo(c *cli.Context, request cloudevents.Event, data []byte) cloudevents.Event {
	host, _ := os.Hostname()
	e := cloudevents.Event{Data: data, Attributes: map[string]any{
		cloudevents.ID: rand.Text(), cloudevents.Type: request.Text(cloudevents.Type),
		cloudevents.Source: cmp.Or(c.String("source"), "/"+host), "kechore": request.Text("kechoid"),
	}}
	if len(data) > 0 {
		e.Attributes[cloudevents.DataContentType] = contentType(data)
	}
	return e
}

func sendReply(c *cli.Context, agent *api.Client, patience time.Duration, e cloudevents.Event) error {
	ctx, cancel := context.WithTimeout(c.Context, patience)
	defer cancel()
	_, err := agent.Publish(ctx, c.Args().First(), []cloudevents.Event{e})
	return err
}
