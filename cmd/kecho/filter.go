package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
)

// maxInput is what a file that is sent has at most: a module as base64 fills
// what the agent reads.
const maxInput = 9 << 20

func filterCommand() *cli.Command {
	const kinds = "A FILE that ends in .wasm is a module (filters/wasm/spec.md); others, and - for stdin, are\n" +
		"text of the --kind expression or stock, such as\n\n" +
		"   sinks | filter(!.local && .load < 0.8) | sortBy(.load) | take(2)\n" +
		"   remote | fresh max-age=2s | least-loaded n=2"
	return &cli.Command{
		Name:  "filter",
		Usage: "which sinks events go to, changed while channels run",
		Subcommands: []*cli.Command{
			{
				Name: "ls", Usage: "all filters on channels, with what they did",
				Flags: append([]cli.Flag{
					&cli.BoolFlag{Name: "stock", Usage: "the filters that are known by name, with their parameters"},
				}, askFlags()...),
				Action: func(c *cli.Context) error {
					if c.Bool("stock") {
						return ask(listStock)(c)
					}
					return ask(listFilters)(c)
				},
			},
			{
				Name: "put", Usage: "put a filter on a channel, or replace it", ArgsUsage: "CHANNEL in|out FILE",
				Description: kinds,
				Flags: append([]cli.Flag{
					kindFlag(),
					&cli.StringFlag{Name: "fallback", Value: "pass", Usage: "`WHAT` becomes of an event whose filter failed: pass or drop"},
				}, askFlags()...),
				Action: putFilter,
			},
			{
				Name: "test", Usage: "run a filter on an event and sinks, touching no channel", ArgsUsage: "in|out FILE TRIAL",
				Description: kinds + "\n\nTRIAL is a file of JSON, or - for stdin:\n\n" +
					`   {"event": {"type": "job", "size": 100}, "sinks": [{"attributes": {"load": 0.3}}]}`,
				Flags: append([]cli.Flag{kindFlag()}, askFlags()...), Action: testFilter,
			},
			{
				Name: "rm", Usage: "take a filter off a channel", ArgsUsage: "CHANNEL in|out",
				Flags: askFlags(), Action: removeFilter,
			},
		},
	}
}

func kindFlag() cli.Flag {
	return &cli.StringFlag{Name: "kind", Value: "expression", Usage: "`KIND` of the text in FILE: expression or stock"}
}

func listFilters(ctx context.Context, agent *api.Client, p *printer) error {
	list, err := agent.Filters(ctx)
	if err != nil {
		return err
	}
	return printFilters(p, list)
}

func listStock(ctx context.Context, agent *api.Client, p *printer) error {
	list, err := agent.StockFilters(ctx)
	if err != nil {
		return err
	}
	if p.json {
		return printItems(p, list)
	}
	rows := [][]cell{{text("FILTER"), text("AS"), text("PARAMETER"), text("TYPE"), text("DEFAULT"), text("ABOUT")}}
	for _, f := range list {
		as := "out"
		if f.In {
			as = "in, out"
		}
		rows = append(rows, []cell{text(f.Name), text(as), text("-"), text("-"), text("-"), text(f.About)})
		for _, param := range f.Parameters {
			rows = append(rows, []cell{text(""), text(""), text(param.Name), text(param.Type), text(cmp.Or(param.Default, "-")), text(param.About)})
		}
	}
	return p.printTable(rows)
}

func printFilters(p *printer, list []api.Filter) error {
	if p.json {
		return printItems(p, list)
	}
	rows := [][]cell{{
		text("CHANNEL"), text("FILTER"), text("KIND"), text("REVISION"), text("RUNS"), text("DROPPED"),
		text("FAILED"), text("SKIPPED"), text("MEAN"), text("SOURCE"), text(""),
	}}
	for _, f := range list {
		source := f.Source
		if source == "" {
			source = fmt.Sprintf("%d bytes", f.Size)
		}
		count := func(n uint64) cell { return number("%s", strconv.FormatUint(n, 10)) }
		rows = append(rows, []cell{
			text(f.Channel), text(f.Direction), text(f.Kind), count(f.Revision), count(f.Stats.Runs), count(f.Stats.Dropped),
			count(f.Stats.Failed), count(f.Stats.Skipped), number("%.4f ms", f.Stats.Mean), text(source), text(f.Stats.LastError),
		})
	}
	return p.printTable(rows)
}

func putFilter(c *cli.Context) error {
	if c.Args().Len() != 3 {
		return usageError(c, "want a channel, in or out, and a file")
	}
	if err := wantDirection(c, c.Args().Get(1)); err != nil {
		return err
	}
	f, err := newFilter(c, c.Args().Get(2))
	if err != nil {
		return err
	}
	f.Fallback = c.String("fallback")
	if f.Fallback != "pass" && f.Fallback != "drop" {
		return usageError(c, "--fallback %q: want pass or drop", f.Fallback)
	}
	return ask(func(ctx context.Context, agent *api.Client, p *printer) error {
		put, err := agent.PutFilter(ctx, c.Args().Get(0), c.Args().Get(1), f)
		if err != nil {
			return err
		}
		return printFilters(p, []api.Filter{put})
	})(c)
}

func removeFilter(c *cli.Context) error {
	if c.Args().Len() != 2 {
		return usageError(c, "want a channel, and in or out")
	}
	if err := wantDirection(c, c.Args().Get(1)); err != nil {
		return err
	}
	return ask(func(ctx context.Context, agent *api.Client, _ *printer) error {
		return agent.RemoveFilter(ctx, c.Args().Get(0), c.Args().Get(1))
	})(c)
}

func testFilter(c *cli.Context) error {
	if c.Args().Len() != 3 || c.Args().Get(1) == "-" && c.Args().Get(2) == "-" {
		return usageError(c, "want in or out, a file, and a file of what to run it on; one of them may be -")
	}
	if err := wantDirection(c, c.Args().Get(0)); err != nil {
		return err
	}
	f, err := newFilter(c, c.Args().Get(1))
	if err != nil {
		return err
	}
	trial, err := readTrial(c, c.Args().Get(2))
	if err != nil {
		return err
	}
	trial.Direction, trial.Filter = c.Args().Get(0), f
	return ask(func(ctx context.Context, agent *api.Client, p *printer) error {
		out, err := agent.TestFilter(ctx, trial)
		if err != nil {
			return err
		}
		return printOutcome(p, trial, out)
	})(c)
}

// readTrial is the event and the sinks that file has.
func readTrial(c *cli.Context, file string) (api.FilterTrial, error) {
	content, err := readInput(c, file)
	if err != nil {
		return api.FilterTrial{}, err
	}
	given := struct {
		Event api.TrialEvent  `json:"event"`
		Sinks []api.TrialSink `json:"sinks"`
	}{Sinks: []api.TrialSink{}}
	strict := json.NewDecoder(bytes.NewReader(content))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&given); err != nil {
		return api.FilterTrial{}, usageError(c, "TRIAL %s: %v", file, err)
	}
	return api.FilterTrial{Event: given.Event, Sinks: given.Sinks}, nil
}

func printOutcome(p *printer, trial api.FilterTrial, out api.FilterOutcome) error {
	if p.json {
		return p.printJSON(out)
	}
	rows := [][]cell{{text("SINK"), text("ATTRIBUTES")}}
	for _, i := range out.Kept {
		attributes, err := json.Marshal(trial.Sinks[i].Attributes)
		if err != nil {
			return err
		}
		rows = append(rows, []cell{number("%d", i), text(string(attributes))})
	}
	if err := p.printTable(rows); err != nil {
		return err
	}
	if out.Error != "" {
		return &api.Error{Code: api.Failed, Detail: "the filter failed, and the fallback would decide: " + out.Error}
	}
	return nil
}

func wantDirection(c *cli.Context, word string) error {
	if word == "in" || word == "out" {
		return nil
	}
	return usageError(c, "%.80q: want in or out: where events arrive, or where they are published", word)
}

// newFilter is the filter that file has.
func newFilter(c *cli.Context, file string) (api.NewFilter, error) {
	content, err := readInput(c, file)
	if err != nil {
		return api.NewFilter{}, err
	}
	if strings.HasSuffix(file, ".wasm") {
		return api.NewFilter{Kind: "wasm", Module: content}, nil
	}
	kind := c.String("kind")
	if kind != "expression" && kind != "stock" {
		return api.NewFilter{}, usageError(c, "--kind %q: want expression or stock; a module is a FILE that ends in .wasm", kind)
	}
	return api.NewFilter{Kind: kind, Source: strings.TrimSpace(string(content))}, nil
}

// readInput is what a file has; - is stdin.
func readInput(c *cli.Context, file string) ([]byte, error) {
	in, err := openInput(c, file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	content, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	switch {
	case err != nil:
		return nil, usageError(c, "%v", err)
	case len(content) > maxInput:
		return nil, usageError(c, "%s has more than %d bytes", file, maxInput)
	}
	return content, nil
}

// openInput opens a file; - is stdin.
func openInput(c *cli.Context, file string) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(c.App.Reader), nil
	}
	in, err := os.Open(file)
	if err != nil {
		return nil, usageError(c, "%v", err)
	}
	return in, nil
}
