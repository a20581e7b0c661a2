package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
	"kecho/cmd/kecho/demo"
)

func demoLoadCommand() *cli.Command {
	return &cli.Command{
		Name:  "load",
		Usage: "the demo's load alone: requests at random moments, whether or not they are answered",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "target", Usage: "`URL` of the requests (required)"},
			&cli.Float64Flag{Name: "rate", Value: 200, Usage: "requests a second"},
			&cli.DurationFlag{Name: "duration", Value: 10 * time.Second, Usage: "how long to send"},
			&cli.StringFlag{Name: "method", Value: "GET", Usage: "`METHOD` of the requests"},
			&cli.StringFlag{Name: "body", Usage: "`TEXT` that each request carries"},
			&cli.DurationFlag{Name: "timeout", Value: 5 * time.Second, Usage: "how long one request may take"},
			&cli.IntFlag{Name: "in-flight", Value: 2000, Usage: "how many requests are open at most; one more counts as an error"},
		}, outputFlags()...),
		Action: demoLoad,
	}
}

func demoLoad(c *cli.Context) error {
	p, err := newPrinter(c)
	if err != nil {
		return err
	}
	if err := refuseZeros(c, loadZeros); err != nil {
		return usageError(c, "%v", err)
	}
	load, err := demo.NewLoad(demo.LoadConfig{
		Target:   c.String("target"),
		Rate:     c.Float64("rate"),
		Duration: c.Duration("duration"),
		Method:   c.String("method"),
		Body:     c.String("body"),
		Timeout:  c.Duration("timeout"),
		InFlight: c.Int("in-flight"),
		Progress: progressLine(c.App.ErrWriter, "load"),
	})
	if err != nil {
		return usageError(c, "%v", err)
	}
	result, err := load.Run(c.Context)
	clearLine(c.App.ErrWriter)
	if err != nil {
		fmt.Fprintln(c.App.ErrWriter, "interrupted: this is what was measured until then")
	}
	if p.json {
		err = p.printJSON(result)
	} else {
		err = p.printTable(resultRows(result))
	}
	if err == nil && result.OK == 0 && result.Errors > 0 {
		err = &api.Error{Code: api.Failed, Detail: fmt.Sprintf("none of %d requests was answered well: %s", result.Sent, causes(result)) + such(load.FirstError())}
	}
	return err
}

// progressLine is a line on a terminal that is written over and over, and
// nothing elsewhere.
func progressLine(w io.Writer, what string) func(demo.Progress) {
	if !terminal(w) {
		return nil
	}
	return func(p demo.Progress) {
		fmt.Fprintf(w, "\r%s: %.0f of %.0f s, %d answered, %d errors\x1b[K",
			what, p.Elapsed.Seconds(), p.Duration.Seconds(), p.OK, p.Errors)
	}
}

func clearLine(w io.Writer) {
	if terminal(w) {
		fmt.Fprint(w, "\r\x1b[K")
	}
}

func resultRows(r demo.Result) [][]cell {
	return [][]cell{
		{text("SENT"), text("OK"), text("ERRORS"), text("P50"), text("P99"), text("MEAN"), text("SERVED BY")},
		{
			number("%d", r.Sent), number("%d", r.OK), number("%d", r.Errors),
			latency(r, r.P50), latency(r, r.P99), latency(r, r.Mean),
			text(counted(r.ServedBy)),
		},
	}
}

// latency is - where nothing was answered well.
func latency(r demo.Result, ms float64) cell {
	if r.OK == 0 {
		return number("-")
	}
	return number("%.0f ms", ms)
}

// causes is "status 503 12, connection 31".
func causes(r demo.Result) string {
	counts := maps.Clone(r.ByFailure)
	for status, n := range r.ByStatus {
		if status >= http.StatusBadRequest {
			counts[fmt.Sprintf("status %d", status)] = n
		}
	}
	return counted(counts)
}

// such is an example behind the causes, where there is one.
func such(err error) string {
	if err == nil {
		return ""
	}
	return fmt.Sprintf(", such as: %.200v", err)
}

// counted is "web1 93, web2 31".
func counted(counts map[string]int) string {
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, counts[name])
	}
	return strings.Join(names, ", ")
}
