package filtering

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"kecho/agent/api"
	"kecho/channel"
	"kecho/filters/dynamic"
	"kecho/filters/expression"
	"kecho/filters/wasm"
)

// Config is what a Table is made of.
type Config struct {
	// Channels is those that are open on the node now. Required.
	Channels func() []*channel.Channel
	// Own are the names of the agent's own channels, which are refused.
	Own []string
	// Zone is the node's. Zero: it is in none.
	Zone string
}

// Table is the filters on one node's channels.
type Table struct {
	cfg     Config
	runtime *dynamic.Runtime

	mu       sync.Mutex
	attached map[string]*channel.Channel // guarded by mu
}

var _ api.Filters = (*Table)(nil)

// New makes a table without filters.
func New(cfg Config) *Table {
	return &Table{cfg: cfg, attached: make(map[string]*channel.Channel), runtime: dynamic.New(dynamic.Config{
		Compilers: map[string]dynamic.Compiler{
			"stock":      dynamic.NewStock(dynamic.StockConfig{Zone: cfg.Zone}),
			"expression": expression.New(expression.Config{}),
			"wasm":       wasm.New(wasm.Config{}),
		},
	})}
}

// Filters is api.Filters'.
func (t *Table) Filters() []api.Filter {
	t.mu.Lock()
	t.sweepLocked()
	t.mu.Unlock()
	var all []api.Filter
	for _, info := range t.runtime.List() {
		all = append(all, filterOf(info))
	}
	return all
}

// Put is api.Filters'.
func (t *Table) Put(name, direction string, f api.NewFilter) (api.Filter, error) {
	if err := t.attach(name); err != nil {
		return api.Filter{}, err
	}
	spec, err := specOf(f)
	if err != nil {
		return api.Filter{}, err
	}
	info, err := t.runtime.Put(name, dynamic.Direction(direction), spec)
	return filterOf(info), coded(err)
}

// Remove is api.Filters'.
func (t *Table) Remove(name, direction string) error {
	_, err := t.runtime.Remove(name, dynamic.Direction(direction))
	return coded(err)
}

// attach makes the channel that is open now by that name the one that gets the
// filters.
func (t *Table) attach(name string) error {
	if slices.Contains(t.cfg.Own, name) {
		return &api.Error{Code: api.Refused, Detail: fmt.Sprintf("channel %q is the agent's own: its filters keep requests and leases safe", name)}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweepLocked()
	if t.attached[name] != nil {
		return nil
	}
	open := t.cfg.Channels()
	i := slices.IndexFunc(open, func(c *channel.Channel) bool { return c.Name() == name })
	if i < 0 {
		return &api.Error{Code: api.NotFound, Detail: fmt.Sprintf("there is no channel %.80q open on this node", name)}
	}
	c := open[i]
	t.attached[name] = c
	return errors.Join(
		t.runtime.Attach(dynamic.Place{Channel: name, Direction: dynamic.In, Set: c.SetIn}),
		t.runtime.Attach(dynamic.Place{Channel: name, Direction: dynamic.Out, Set: c.SetOut}),
	)
}

// sweepLocked forgets the channels that are not open any more.
func (t *Table) sweepLocked() {
	open := t.cfg.Channels()
	for name, c := range t.attached {
		if !slices.Contains(open, c) {
			t.runtime.Detach(name)
			delete(t.attached, name)
		}
	}
}

func specOf(f api.NewFilter) (dynamic.Spec, error) {
	spec := dynamic.Spec{Kind: f.Kind, Source: []byte(f.Source), Fallback: dynamic.Fallback(f.Fallback)}
	switch {
	case f.Kind == "wasm" && f.Source != "":
		return spec, &api.Error{Code: api.Invalid, Detail: "body.source: a wasm filter is a module, which goes into module"}
	case f.Kind == "wasm":
		spec.Source = f.Module
	case len(f.Module) > 0:
		return spec, &api.Error{Code: api.Invalid, Detail: "body.module: only a wasm filter is a module, " + f.Kind + " is text and goes into source"}
	}
	return spec, nil
}

func filterOf(info dynamic.Info) api.Filter {
	s := info.Stats
	f := api.Filter{
		Channel: info.Channel, Direction: string(info.Direction), Kind: info.Kind, Size: len(info.Source),
		Revision: info.Revision, Since: info.Since, Fallback: string(info.Fallback),
		Stats: api.FilterStats{
			Runs: s.Runs, Failed: s.Failed, Skipped: s.Skipped, Dropped: s.Dropped,
			Mean: s.Mean().Seconds() * 1000, LastError: s.LastError,
		},
	}
	if info.Kind != "wasm" {
		f.Source = string(info.Source)
	}
	return f
}

// coded gives an error of package dynamic its code.
func coded(err error) error {
	switch {
	case errors.Is(err, dynamic.ErrSource):
		return &api.Error{Code: api.Invalid, Detail: err.Error()}
	case errors.Is(err, dynamic.ErrNoPlace), errors.Is(err, dynamic.ErrNoFilter):
		return &api.Error{Code: api.NotFound, Detail: err.Error()}
	}
	return err
}
