package filtering

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

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
	// Own are the agent's own channels by name, whose filters an operator's can
	// narrow and not replace.
	Own map[string]Own
	// Zone is the node's. Zero: it is in none.
	Zone string
}

// Own is where an operator's filter goes on one of the agent's own channels.
type Own struct {
	// In and Out install a filter beside the agent's own. Nil: that direction
	// is refused.
	In, Out func(channel.Filter)
	// Why is what is said to who is refused a direction.
	Why string
}

// Table is the filters on one node's channels.
type Table struct {
	cfg     Config
	stock   *dynamic.Stock
	runtime *dynamic.Runtime

	changing sync.Mutex // held while a filter is changed; taken before mu

	mu       sync.Mutex
	attached map[string]*channel.Channel // guarded by mu
}

var _ api.Filters = (*Table)(nil)

// New makes a table without filters.
func New(cfg Config) *Table {
	stock := dynamic.NewStock(dynamic.StockConfig{Zone: cfg.Zone})
	return &Table{cfg: cfg, stock: stock, attached: make(map[string]*channel.Channel), runtime: dynamic.New(dynamic.Config{
		Compilers: map[string]dynamic.Compiler{
			"stock":      stock,
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

// Stock is the filters that are known by name.
func (t *Table) Stock() []api.StockFilter {
	var all []api.StockFilter
	for _, f := range t.stock.Filters() {
		shown := api.StockFilter{Name: f.Name, About: f.About, In: f.In, Parameters: []api.FilterParameter{}}
		for _, p := range f.Params {
			shown.Parameters = append(shown.Parameters, api.FilterParameter(p))
		}
		all = append(all, shown)
	}
	return all
}

// Put is api.Filters'.
func (t *Table) Put(at api.FilterPlace, f api.NewFilter) (api.Filter, error) {
	t.changing.Lock()
	defer t.changing.Unlock()
	if err := t.attach(at.Channel); err != nil {
		return api.Filter{}, err
	}
	if err := t.takes(at); err != nil {
		return api.Filter{}, err
	}
	spec, err := specOf(f)
	if err != nil {
		return api.Filter{}, err
	}
	if err := t.permitted(at); err != nil {
		return api.Filter{}, err
	}
	info, err := t.runtime.Put(at.Channel, dynamic.Direction(at.Direction), spec)
	return filterOf(info), coded(err)
}

// Remove is api.Filters'.
func (t *Table) Remove(at api.FilterPlace) error {
	t.changing.Lock()
	defer t.changing.Unlock()
	if err := t.attach(at.Channel); err != nil {
		return err
	}
	if err := t.permitted(at); err != nil {
		return err
	}
	_, err := t.runtime.Remove(at.Channel, dynamic.Direction(at.Direction))
	return coded(err)
}

// permitted asks the place's condition.
func (t *Table) permitted(at api.FilterPlace) error {
	if at.If == nil {
		return nil
	}
	info, err := t.runtime.Get(at.Channel, dynamic.Direction(at.Direction))
	if err != nil {
		return at.If(nil)
	}
	now := filterOf(info)
	return at.If(&now)
}

// Close takes all filters off and frees what they hold.
func (t *Table) Close() { t.runtime.Close() }

// attach makes the channel that is open now by that name the one that gets the
// filters.
func (t *Table) attach(name string) error {
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
	in, out := c.SetIn, c.SetOut
	if own, ok := t.cfg.Own[name]; ok {
		in, out = own.In, own.Out
	}
	return errors.Join(
		t.runtime.Attach(dynamic.Place{Channel: name, Direction: dynamic.In, Set: in}),
		t.runtime.Attach(dynamic.Place{Channel: name, Direction: dynamic.Out, Set: out}),
	)
}

// takes is why no filter can be put there, if the channel is the agent's own.
func (t *Table) takes(at api.FilterPlace) error {
	own, ok := t.cfg.Own[at.Channel]
	set := own.In
	if at.Direction == string(dynamic.Out) {
		set = own.Out
	}
	if !ok || set != nil {
		return nil
	}
	return &api.Error{Code: api.Refused, Detail: fmt.Sprintf("channel %q is the agent's own and takes no %s-filter: %s", at.Channel, at.Direction, own.Why)}
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
			FilterCost: api.FilterCost{Runs: s.Runs, Mean: milliseconds(s.Sampled.Mean()), Max: milliseconds(s.Sampled.Max)},
			Failed:     s.Failed, Skipped: s.Skipped, Dropped: s.Dropped, LastError: s.LastError,
		},
	}
	if info.Kind != "wasm" {
		f.Source = string(info.Source)
	}
	return f
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

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
