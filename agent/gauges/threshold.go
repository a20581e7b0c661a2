package gauges

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"kecho/agent/api"
	"kecho/resmgr/monitor"
)

// Where thresholds come from, as the API shows it.
const (
	fromConfiguration = "configuration"
	fromAPI           = "api"
)

// threshold is one that is watched, with what it does.
type threshold struct {
	table   *Table
	entry   *entry
	id      string
	source  string
	actions api.Actions
	hook    *url.URL           // of the webhook; nil: none
	outbox  *outbox            // nil: neither event nor webhook
	watched *monitor.Threshold // nil until Monitor.Watch has returned; guarded by Table.mu

	condition monitor.Condition

	// Guarded by Table.mu.
	raised    bool
	removed   bool
	since     time.Time
	crossings int64
}

// Watch sets a threshold on the gauge of that name, as the API does.
func (t *Table) Watch(name string, n api.NewThreshold) (api.Threshold, error) {
	key, err := t.parse(name)
	if err != nil {
		return api.Threshold{}, err
	}
	c, err := monitor.Parse(n.Condition)
	if err != nil {
		return api.Threshold{}, invalid("body.condition: %v", err)
	}
	if c.Of.Of != key {
		return api.Threshold{}, invalid("body.condition: %q is on the gauge %v, not on %v", n.Condition, c.Of.Of, key)
	}
	return t.add(c, n.Actions, fromAPI)
}

// Configure sets a threshold of the configuration. Its error says what is
// wrong with it.
func (t *Table) Configure(n api.NewThreshold) error {
	c, err := monitor.Parse(n.Condition)
	if err != nil {
		return err
	}
	_, err = t.add(c, n.Actions, fromConfiguration)
	return err
}

func (t *Table) add(c monitor.Condition, actions api.Actions, source string) (api.Threshold, error) {
	if err := t.cfg.Check(c, actions); err != nil {
		return api.Threshold{}, err
	}
	hook, err := parseHook(c, actions.Webhook)
	if err != nil {
		return api.Threshold{}, err
	}
	if actions.Event != nil {
		if t.cfg.Channels == nil {
			return api.Threshold{}, invalid("%q: this agent has no channels for events", c)
		}
		if err := t.cfg.Channels.Open(actions.Event.Channel); err != nil {
			return api.Threshold{}, &api.Error{Code: api.Refused, Detail: err.Error(), Err: err}
		}
	}
	e, err := t.enter(c.Of.Of)
	if err != nil {
		return api.Threshold{}, err
	}
	n := &threshold{table: t, entry: e, source: source, actions: actions, hook: hook, condition: c}
	if hook != nil || actions.Event != nil {
		n.outbox = &outbox{tell: n.tellOthers}
	}
	if err := t.enlist(n); err != nil {
		t.leave(e)
		return api.Threshold{}, err
	}
	watched, err := t.monitor.Watch(c, func(crossing monitor.Crossing) { t.crossed(n, crossing) })
	if err != nil { // Check has found none
		t.remove(n)
		return api.Threshold{}, invalid("%v", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n.watched = watched
	return n.showLocked(), nil
}

// enlist gives a threshold its id.
func (t *Table) enlist(n *threshold) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.thresholds) == maxThresholds {
		return &api.Error{Code: api.Refused, Detail: fmt.Sprintf("there are %d thresholds already: take one away first", maxThresholds)}
	}
	t.lastID++
	n.id = "t" + strconv.Itoa(t.lastID)
	t.thresholds = append(t.thresholds, n)
	return nil
}

// Unwatch takes a threshold away; overflow that it has raised ends.
func (t *Table) Unwatch(name, id string) error {
	key, err := t.parse(name)
	if err != nil {
		return err
	}
	t.mu.Lock()
	i := slices.IndexFunc(t.thresholds, func(n *threshold) bool {
		return n.id == id && n.entry.key == key && n.watched != nil
	})
	var n *threshold
	if i >= 0 {
		n = t.thresholds[i]
	}
	t.mu.Unlock()
	if n == nil {
		return &api.Error{Code: api.NotFound, Detail: fmt.Sprintf("there is no threshold %.40q on %v", id, key)}
	}
	n.watched.Close()
	t.remove(n)
	t.log.Info("a threshold is taken away", "condition", n.condition)
	return nil
}

func (t *Table) remove(n *threshold) {
	t.mu.Lock()
	was := len(t.thresholds)
	t.thresholds = slices.DeleteFunc(t.thresholds, func(o *threshold) bool { return o == n })
	if len(t.thresholds) < was { // else another goroutine has removed it
		n.entry.users--
	}
	n.removed = true
	t.mu.Unlock()
	if n.outbox != nil {
		n.outbox.close()
	}
	t.tellOverflow()
}

// crossed is the monitor's callback.
func (t *Table) crossed(n *threshold, crossing monitor.Crossing) {
	now := time.Now()
	c := api.Crossing{
		Node: t.cfg.Node, Gauge: n.condition.Of.Of.String(), Statistic: n.condition.Of.String(),
		Condition: n.condition.String(), Raised: crossing.Raised, Value: finite(crossing.Value), Time: now,
	}
	t.mu.Lock()
	if n.removed {
		t.mu.Unlock()
		return
	}
	c.Threshold = n.id
	n.raised = crossing.Raised && n.condition.HasCancel() // else it is over at once
	n.since = now
	n.crossings++
	c.Sequence = n.crossings
	if crossing.Raised {
		t.count.Raised++
	} else {
		t.count.Cancelled++
	}
	t.mu.Unlock()
	t.say(n, crossing)
	if n.actions.Overflow {
		t.tellOverflow()
	}
	t.cfg.Crossed(c)
	if n.outbox != nil {
		t.countDropped(n.outbox.put(c))
		t.rouse()
	}
}

// say logs a crossing.
func (t *Table) say(n *threshold, crossing monitor.Crossing) {
	value := slog.Float64("value", crossing.Value)
	if math.IsNaN(crossing.Value) { // which JSON has no word for
		value = slog.String("value", "unknown")
	}
	switch {
	case n.actions.Overflow && crossing.Raised:
		t.log.Warn("overflow is raised: requests go to peers that have room", "condition", n.condition, value)
	case n.actions.Overflow:
		t.log.Info("overflow is cancelled", "condition", n.condition, value)
	case crossing.Raised:
		t.log.Warn("a threshold is raised", "condition", n.condition, value)
	default:
		t.log.Info("a threshold is cancelled", "condition", n.condition, value)
	}
}

// tellOverflow tells whether a threshold raises overflow now.
func (t *Table) tellOverflow() {
	t.overflow.Lock()
	defer t.overflow.Unlock()
	t.cfg.Overflow(len(t.Raising()) > 0)
}

// Raising are the conditions that raise overflow now.
func (t *Table) Raising() (conditions []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range t.thresholds {
		if n.actions.Overflow && n.raised {
			conditions = append(conditions, n.condition.String())
		}
	}
	return conditions
}

// HasOverflow reports whether any threshold could raise overflow.
func (t *Table) HasOverflow() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.thresholds, func(n *threshold) bool { return n.actions.Overflow })
}

func (n *threshold) showLocked() api.Threshold {
	s := api.Threshold{
		ID: n.id, Gauge: n.condition.Of.Of.String(), Statistic: n.condition.Of.String(), Condition: n.condition.String(),
		Source: n.source, Raised: n.raised, Actions: n.actions, Crossings: n.crossings,
	}
	s.Webhook = redacted(n.hook)
	if n.watched != nil {
		if v, ok := n.watched.Value(); ok {
			s.Value = &v
		}
	}
	if !n.since.IsZero() {
		since := n.since
		s.Since = &since
	}
	if n.outbox != nil {
		s.Undelivered, s.LastError = n.outbox.troubles()
	}
	return s
}

// tellOthers submits the event and calls the webhook. It is the outbox's.
func (n *threshold) tellOthers(ctx context.Context, c api.Crossing) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	var errs []string
	if to := n.actions.Event; to != nil {
		if err := n.table.cfg.Channels.Submit(ctx, to.Channel, to.Type, body); err != nil {
			errs = append(errs, err.Error())
		}
	}
	if n.hook != nil {
		if err := n.table.post(ctx, n.hook, c, body); err != nil {
			errs = append(errs, err.Error())
		}
	}
	told := len(errs) == 0
	n.table.countTold(told)
	if told {
		return nil
	}
	err = fmt.Errorf("%s", strings.Join(errs, "; "))
	if ctx.Err() == nil {
		n.table.log.Warn("a crossing could not be told", "condition", n.condition, "err", err)
	}
	return err
}

func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func invalid(format string, args ...any) error {
	return &api.Error{Code: api.Invalid, Detail: fmt.Sprintf(format, args...)}
}
