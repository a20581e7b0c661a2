package gauges

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"kecho/agent/api"
	"kecho/resmgr/monitor"
)

// Who sets gauges, as the API shows it.
const (
	Machine = "machine" // this machine, or the agent's container
	API     = "api"     // PUT /v1/gauges/NAME
)

// Bounds on what strangers can make.
const (
	maxGauges     = 1000 // besides the machine's
	maxThresholds = 256
)

// Channels are where the events of thresholds go.
type Channels interface {
	// Open has the channel open from now on; again is no error.
	Open(channel string) error
	// Submit submits an event on an open channel, and does not wait.
	Submit(ctx context.Context, channel, kind string, body []byte) error
}

// Config is what a Table is made of.
type Config struct {
	// Node is this node's name, for what is told of crossings.
	Node string
	// Rules are which gauges there are.
	Rules
	// Overflow is told when the first threshold that raises overflow is
	// raised, and when the last is cancelled. It must not block, nor call the
	// table. Nil: nobody is.
	Overflow func(raised bool)
	// Crossed is told of each crossing. As Overflow.
	Crossed func(api.Crossing)
	// Channels is where events go. Nil: thresholds with an event are refused.
	Channels Channels
	// Dial makes the connections of webhooks. Nil: the system's.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Jitter is a pause that is d at most, for the retries of webhooks. Nil:
	// between a half and all of it.
	Jitter func(d time.Duration) time.Duration
	// Logger gets crossings and what could not be told. Nil: nobody.
	Logger *slog.Logger
}

// Table is the gauges of a running agent and the thresholds on them.
type Table struct {
	cfg     Config
	log     *slog.Logger
	monitor *monitor.Monitor
	client  *http.Client
	wake    chan struct{} // capacity 1: something is due sooner, or to be told

	overflow sync.Mutex // held while Config.Overflow is called, so that the last call is right

	mu         sync.Mutex
	entries    map[monitor.Key]*entry // guarded by mu
	thresholds []*threshold           // in the order of their ids; guarded by mu
	lastID     int                    // guarded by mu
	looks      time.Time              // when Run looks for what has expired; guarded by mu
	count      Stats                  // guarded by mu
}

var _ api.Gauges = (*Table)(nil)

// entry is one gauge.
type entry struct {
	key   monitor.Key
	gauge *monitor.Gauge
	// order is held while the gauge is set, with what its thresholds do, so
	// that what was set last stays. It is taken before Table.mu.
	order sync.Mutex

	// Guarded by Table.mu.
	source  string
	expires time.Time // zero: not by itself
	users   int       // who sets it, and thresholds: it is not forgotten
}

// New makes a table with the machine's gauges, absent.
func New(cfg Config) (*Table, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Overflow == nil {
		cfg.Overflow = func(bool) {}
	}
	if cfg.Crossed == nil {
		cfg.Crossed = func(api.Crossing) {}
	}
	if cfg.Jitter == nil {
		cfg.Jitter = func(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }
	}
	t := &Table{
		cfg: cfg, log: cfg.Logger, monitor: monitor.New(monitor.Config{}), client: newClient(cfg.Dial),
		wake: make(chan struct{}, 1), entries: make(map[monitor.Key]*entry),
	}
	for _, name := range cfg.Machine {
		if _, err := t.enter(monitor.Key{Name: name}); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Set sets a gauge for ttl, as the API does: value nil makes it absent.
func (t *Table) Set(name string, value *float64, ttl time.Duration) (api.Gauge, error) {
	key, err := t.parse(name)
	if err != nil {
		return api.Gauge{}, err
	}
	if t.cfg.isMachine(key) {
		return api.Gauge{}, &api.Error{Code: api.Refused, Detail: fmt.Sprintf("%v is read from the machine and cannot be set; choose a name with a dot in it, such as app.%s", key, key.Name)}
	}
	if err := t.put(key, API, value, ttl); err != nil {
		return api.Gauge{}, err
	}
	return t.show(key), nil
}

// Feed sets a gauge from within the agent; value nil makes it absent, and it
// is absent after ttl unless that is 0. An error is that of a name, or that
// there are too many gauges.
func (t *Table) Feed(key monitor.Key, source string, value *float64, ttl time.Duration) error {
	if err := t.cfg.checkKey(key); err != nil {
		return err
	}
	return t.put(key, source, value, ttl)
}

func (t *Table) put(key monitor.Key, source string, value *float64, ttl time.Duration) error {
	e, err := t.enter(key)
	if err != nil {
		return err
	}
	defer t.leave(e)
	e.order.Lock()
	defer e.order.Unlock()
	expires := time.Time{}
	if value != nil && ttl > 0 {
		expires = time.Now().Add(ttl)
	}
	t.mu.Lock()
	e.source, e.expires = source, expires
	sooner := !expires.IsZero() && expires.Before(t.looks)
	t.mu.Unlock()
	if sooner {
		t.rouse()
	}
	if value == nil {
		e.gauge.Unset()
	} else {
		e.gauge.Set(*value)
	}
	return nil
}

// parse reads a gauge's name as the API takes it.
func (t *Table) parse(name string) (monitor.Key, error) {
	key, err := monitor.ParseKey(name)
	if err != nil {
		return key, &api.Error{Code: api.Usage, Detail: "the gauge's name: " + err.Error(), Err: err}
	}
	return key, t.cfg.checkKey(key)
}

// enter is the gauge's entry, which is there until the caller leaves it.
func (t *Table) enter(key monitor.Key) (*entry, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[key]
	if e == nil {
		if len(t.entries) >= maxGauges+len(t.cfg.Machine) && !t.forgetLocked() {
			return nil, &api.Error{Code: api.Refused, Detail: fmt.Sprintf("there are %d gauges already, all of them set or watched", len(t.entries))}
		}
		gauge, err := t.monitor.Gauge(key)
		if err != nil {
			return nil, &api.Error{Code: api.Usage, Detail: err.Error(), Err: err}
		}
		e = &entry{key: key, gauge: gauge}
		if t.cfg.isMachine(key) {
			e.users++ // for ever
		}
		t.entries[key] = e
	}
	e.users++
	return e, nil
}

func (t *Table) leave(e *entry) {
	t.mu.Lock()
	e.users--
	t.mu.Unlock()
}

// forgetLocked makes room for a gauge, if one is absent and nobody watches it.
func (t *Table) forgetLocked() bool {
	for key, e := range t.entries {
		if _, set := e.gauge.Value(); !set && e.users == 0 && t.monitor.Forget(key) {
			delete(t.entries, key)
			return true
		}
	}
	return false
}

// Value is a gauge's; false while it is absent.
func (t *Table) Value(key monitor.Key) (v float64, ok bool) {
	t.mu.Lock()
	e := t.entries[key]
	t.mu.Unlock()
	if e == nil {
		return 0, false
	}
	return e.gauge.Value()
}

// Gauges is all of them, by name.
func (t *Table) Gauges() []api.Gauge {
	t.mu.Lock()
	keys := slices.Collect(maps.Keys(t.entries))
	t.mu.Unlock()
	all := make([]api.Gauge, 0, len(keys))
	for _, key := range keys {
		if g := t.show(key); g.Name != "" {
			all = append(all, g)
		}
	}
	slices.SortFunc(all, func(a, b api.Gauge) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// show is one gauge; zero when it was forgotten.
func (t *Table) show(key monitor.Key) api.Gauge {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[key]
	if e == nil {
		return api.Gauge{}
	}
	g := api.Gauge{Name: key.String(), Source: e.source, Thresholds: []api.Threshold{}}
	if v, ok := e.gauge.Value(); ok {
		g.Value = &v
		if !e.expires.IsZero() {
			left := max(0, float64(time.Until(e.expires))/float64(time.Millisecond))
			g.Expires = &left
		}
	}
	for _, watched := range t.thresholds {
		if watched.entry == e {
			g.Thresholds = append(g.Thresholds, watched.showLocked())
		}
	}
	return g
}
