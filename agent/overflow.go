package agent

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"kecho/resmgr/monitor"
	"kecho/resmgr/monitor/host"
)

// hostGauges are the gauges that --overflow can name, and what of a sample
// they show; false: absent.
var hostGauges = map[string]func(host.Sample) (float64, bool){
	"cpu":       host.Sample.WorseCPU,
	"memory":    host.Sample.WorseMemory,
	"load1":     func(s host.Sample) (float64, bool) { return s.Load1, s.HasLoad1 },
	"throttled": func(s host.Sample) (float64, bool) { return s.Container.Throttled, s.Container.HasThrottled },
}

// parseOverflow reads conditions with commas between them.
func parseOverflow(text string) ([]monitor.Condition, error) {
	conditions, err := monitor.ParseList(text)
	if err != nil {
		return nil, fmt.Errorf("--overflow %w", err)
	}
	for _, c := range conditions {
		if err := checkOverflow(c); err != nil {
			return nil, err
		}
	}
	return conditions, nil
}

// checkOverflow holds that a condition is on one of the host's gauges, that it
// can come true, and that it has a cancel value, so that overflow ends.
func checkOverflow(c monitor.Condition) error {
	of := c.Of.Of
	if hostGauges[of.Name] == nil || of.Item != "" {
		known := strings.Join(slices.Sorted(maps.Keys(hostGauges)), ", ")
		return fmt.Errorf("--overflow %q: there is no gauge %v; there are %s", c, of, known)
	}
	if kind := c.Of.Kind; kind == monitor.High || kind == monitor.Low {
		return fmt.Errorf("--overflow %q: a watermark does not come back, so this would be for ever, or never again; watch %v itself", c, of)
	}
	if !c.HasCancel() {
		return fmt.Errorf("--overflow %q needs a value at which it ends, as in %q", c, "cpu > 0.85 cancel < 0.7")
	}
	// A per cent figure would never be reached, or always.
	isShare := func(v float64) bool { return v >= 0 && v <= 1 }
	if c.Of.Kind == monitor.Absolute && of.Name != "load1" && !(isShare(c.Raise.Value) && isShare(c.Cancel.Value)) {
		return fmt.Errorf("--overflow %q: %v is a share from 0 to 1: write 0.85 for 85 %%", c, of)
	}
	return nil
}

// overflow watches the host's gauges and raises overflow while one of its
// thresholds is.
type overflow struct {
	gauges     map[string]*monitor.Gauge
	thresholds []*monitor.Threshold
	log        *slog.Logger
	set        func(raised bool)
	raised     int // thresholds; owned by the loop that calls store
}

// newOverflow watches conditions that parseOverflow has taken.
func newOverflow(conditions []monitor.Condition, log *slog.Logger, set func(raised bool)) (*overflow, error) {
	o := &overflow{gauges: make(map[string]*monitor.Gauge), log: log, set: set}
	m := monitor.New(monitor.Config{})
	for name := range hostGauges {
		gauge, err := m.Gauge(monitor.Key{Name: name})
		if err != nil {
			return nil, err
		}
		o.gauges[name] = gauge
	}
	for _, c := range conditions {
		t, err := m.Watch(c, func(crossing monitor.Crossing) { o.crossed(c, crossing) })
		if err != nil {
			return nil, err
		}
		o.thresholds = append(o.thresholds, t)
	}
	return o, nil
}

// store sets the gauges, all of them each time, so that rates and buckets move
// on without a tick; what crosses is in force when it returns.
func (o *overflow) store(s host.Sample) {
	for name, of := range hostGauges {
		if v, ok := of(s); ok {
			o.gauges[name].Set(v)
		} else {
			o.gauges[name].Unset()
		}
	}
}

// crossed is called from store only.
func (o *overflow) crossed(c monitor.Condition, crossing monitor.Crossing) {
	if crossing.Raised {
		o.raised++
		o.log.Warn("overflow is raised: requests go to peers that have room", "condition", c, "value", crossing.Value)
	} else {
		o.raised--
		o.log.Info("overflow is cancelled", "condition", c, "value", crossing.Value)
	}
	o.set(o.raised > 0)
}

// detail says for readiness which conditions raise overflow now.
func (o *overflow) detail() string {
	var raised []string
	for _, t := range o.thresholds {
		if t.Raised() {
			raised = append(raised, t.Condition().String())
		}
	}
	if len(raised) == 0 {
		return "not raised"
	}
	return "raised by " + strings.Join(raised, ", ") + ": requests go to peers that have room"
}
