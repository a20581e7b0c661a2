package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
	"kecho/agent/cloudevents"
)

// maxLine is the longest line of a batch: what the agent reads of an event.
const maxLine = 64 << 10

func pubCommand() *cli.Command {
	return &cli.Command{
		Name: "pub", Usage: "publish an event on a channel, or one a line", ArgsUsage: "NAME",
		Description: "With --batch each line of --file (- unless given) is an event as it comes: a CloudEvent as\n" +
			"JSON, or, with --type, the data of one. It ends at the first that is refused, and says\n" +
			"which.",
		Flags:  append(append(eventFlags(), &cli.BoolFlag{Name: "batch", Usage: "an event a line"}), askFlags()...),
		Action: publish,
	}
}

// eventFlags are the flags of a command that makes an event.
func eventFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "type", Usage: "the event's `TYPE`"},
		&cli.StringFlag{Name: "source", DefaultText: "/ and the host's name", Usage: "who submits it, as a `URI`"},
		&cli.StringFlag{Name: "id", DefaultText: "made up", Usage: "its `ID`, which is the source's own"},
		&cli.StringFlag{Name: "data", Usage: "its `DATA`"},
		&cli.StringFlag{Name: "file", Usage: "a `FILE` that has its data; - is stdin"},
		&cli.StringFlag{Name: "content-type", DefaultText: "by the data", Usage: "media `TYPE` of the data, such as application/json"},
		&cli.StringSliceFlag{Name: "attr", Usage: "another attribute, as `NAME=VALUE`; may be repeated"},
		&cli.StringFlag{Name: "priority", DefaultText: "normal", Usage: "its `PRIORITY`: urgent, normal or bulk"},
		&cli.DurationFlag{Name: "ttl", DefaultText: "for ever", Usage: "how long it is worth delivering"},
	}
}

// newEvent is the event that the flags describe, with that data.
func newEvent(c *cli.Context, data []byte) (cloudevents.Event, error) {
	host, _ := os.Hostname()
	e := cloudevents.Event{Data: data, Attributes: map[string]any{
		cloudevents.ID: cmp.Or(c.String("id"), rand.Text()), cloudevents.Type: c.String("type"),
		cloudevents.Source: cmp.Or(c.String("source"), "/"+host),
	}}
	if len(data) > 0 {
		e.Attributes[cloudevents.DataContentType] = cmp.Or(c.String("content-type"), contentType(data))
	}
	for _, attr := range c.StringSlice("attr") {
		name, value, ok := strings.Cut(attr, "=")
		if _, twice := e.Attributes[name]; !ok || twice {
			return e, usageError(c, "--attr %q: want NAME=VALUE of another attribute", attr)
		}
		e.Attributes[name] = value
	}
	if p := c.String("priority"); p != "" {
		if !slices.Contains([]string{"urgent", "normal", "bulk"}, p) {
			return e, usageError(c, "--priority %q: want urgent, normal or bulk", p)
		}
		e.Attributes["kechopriority"] = p
	}
	if ttl := c.Duration("ttl"); c.IsSet("ttl") {
		if ttl <= 0 {
			return e, usageError(c, "--ttl %v: want more than 0", ttl)
		}
		e.Attributes["kechottl"] = ttl.String()
	}
	if err := e.Check(); err != nil {
		return e, usageError(c, "%v", err)
	}
	return e, nil
}

// contentType is what data is, as far as it shows.
func contentType(data []byte) string {
	switch {
	case json.Valid(data):
		return "application/json"
	case utf8.Valid(data):
		return "text/plain"
	}
	return "application/octet-stream"
}

// oneEvent is the event of a command that sends one.
func oneEvent(c *cli.Context) (cloudevents.Event, error) {
	if c.Args().Len() != 1 {
		return cloudevents.Event{}, usageError(c, "want one channel, not %d", c.Args().Len())
	}
	data := []byte(c.String("data"))
	switch {
	case c.String("type") == "":
		return cloudevents.Event{}, usageError(c, "--type is missing: what the event is called")
	case c.IsSet("data") && c.IsSet("file"):
		return cloudevents.Event{}, usageError(c, "--data and --file: want one of them")
	case c.IsSet("file"):
		var err error
		if data, err = readInput(c, c.String("file")); err != nil {
			return cloudevents.Event{}, err
		}
	}
	return newEvent(c, data)
}

func publish(c *cli.Context) error {
	if c.Bool("batch") {
		return publishLines(c)
	}
	e, err := oneEvent(c)
	if err != nil {
		return err
	}
	return ask(func(ctx context.Context, agent *api.Client, p *printer) error {
		out, err := agent.Publish(ctx, c.Args().First(), []cloudevents.Event{e})
		if err != nil {
			return err
		}
		if p.json {
			return p.printJSON(out)
		}
		rows := [][]cell{{text("ID"), text("KECHOID"), text("SINKS")}}
		for _, item := range out.Items {
			rows = append(rows, []cell{text(item.ID), text(item.KechoID), number("%d", out.Sinks)})
		}
		return p.printTable(rows)
	})(c)
}

// publishLines publishes each line when it is there.
func publishLines(c *cli.Context) error {
	switch {
	case c.Args().Len() != 1:
		return usageError(c, "want one channel, not %d", c.Args().Len())
	case c.IsSet("data") || c.IsSet("id"):
		return usageError(c, "--batch has an event a line, and neither --data nor --id")
	}
	p, err := newPrinter(c)
	if err != nil {
		return err
	}
	p.lines = p.json // a stream has no end to indent to
	agent, patience, err := whom(c)
	if err != nil {
		return err
	}
	in, err := openInput(c, cmp.Or(c.String("file"), "-"))
	if err != nil {
		return err
	}
	defer in.Close()
	stream, err := openStream(c, agent, patience)
	if err != nil {
		return err
	}
	defer stream.Close()
	n := 0
	err = eachLine(c.Context, in, func(line []byte) error {
		e, err := lineEvent(c, line)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(c.Context, patience)
		defer cancel()
		out, err := stream.Publish(ctx, e)
		if n++; err == nil && p.json {
			err = p.printJSON(out)
		}
		return err
	})
	if err == nil && !p.json {
		_, err = fmt.Fprintf(p.out, "%d published\n", n)
	}
	return err
}

func openStream(c *cli.Context, agent *api.Client, patience time.Duration) (*api.Stream, error) {
	ctx, cancel := context.WithTimeout(c.Context, patience)
	defer cancel()
	return agent.Stream(ctx, c.Args().First())
}

// eachLine calls do for each line that is not empty, until ctx is done. An error
// names its line.
func eachLine(ctx context.Context, in io.Reader, do func([]byte) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	more := make(chan bool)
	read := func() { more <- lines.Scan() } // a terminal is waited for although the context ends
	for n := 1; ; n++ {
		go read()
		select {
		case ok := <-more:
			switch err := lines.Err(); {
			case errors.Is(err, bufio.ErrTooLong):
				return &api.Error{Code: api.TooLarge, Detail: fmt.Sprintf("line %d: more than %d bytes", n, maxLine)}
			case !ok:
				return err
			case len(lines.Bytes()) == 0:
				continue
			}
		case <-ctx.Done():
			return nil
		}
		if err := do(lines.Bytes()); err != nil {
			return atLine(n, err)
		}
	}
}

// atLine is err with its line.
func atLine(n int, err error) error {
	var coded *api.Error
	if !errors.As(err, &coded) {
		return fmt.Errorf("line %d: %w", n, err)
	}
	return &api.Error{Code: coded.Code, Detail: fmt.Sprintf("line %d: %s", n, coded.Detail), Err: err}
}

// lineEvent is the event of one line of a batch.
func lineEvent(c *cli.Context, line []byte) (e cloudevents.Event, err error) {
	if c.String("type") != "" {
		return newEvent(c, bytes.Clone(line))
	}
	if err := json.Unmarshal(line, &e); err != nil {
		if !json.Valid(line) {
			err = errors.New("it is no JSON; with --type a line is the data of an event")
		}
		return e, &api.Error{Code: api.Invalid, Detail: err.Error(), Err: err}
	}
	return e, nil
}
