package agent

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kecho/agent/api"
	"kecho/agent/channels"
	"kecho/agent/gauges"
	"kecho/resmgr/monitor"
	"kecho/resmgr/monitor/host"
)

// hostGauges are the gauges of the machine, and what of a sample they show;
// false: absent.
var hostGauges = map[string]func(host.Sample) (float64, bool){
	"cpu":       host.Sample.WorseCPU,
	"memory":    host.Sample.WorseMemory,
	"load1":     func(s host.Sample) (float64, bool) { return s.Load1, s.HasLoad1 },
	"throttled": func(s host.Sample) (float64, bool) { return s.Container.Throttled, s.Container.HasThrottled },

	"pressure_cpu":    func(s host.Sample) (float64, bool) { return s.Pressure.CPU, s.Pressure.HasCPU },
	"pressure_memory": func(s host.Sample) (float64, bool) { return s.Pressure.Memory, s.Pressure.HasMemory },
	"pressure_io":     func(s host.Sample) (float64, bool) { return s.Pressure.IO, s.Pressure.HasIO },
}

// gaugeRules say which gauges an agent has.
func gaugeRules() gauges.Rules {
	return gauges.Rules{
		Machine: slices.Sorted(maps.Keys(hostGauges)),
		Shares:  []string{"cpu", "memory", "throttled", "pressure_cpu", "pressure_memory", "pressure_io"},
	}
}

// thresholds are those of the configuration: the conditions of Overflow, and
// Thresholds.
func (c Config) thresholds() ([]api.NewThreshold, error) {
	conditions, err := monitor.ParseList(c.Overflow)
	if err != nil {
		return nil, fmt.Errorf("--overflow %w", err)
	}
	var all []api.NewThreshold
	var errs []error
	add := func(flag string, condition monitor.Condition, actions api.Actions) {
		if err := gaugeRules().Check(condition, actions); err != nil {
			errs = append(errs, fmt.Errorf("%s %w", flag, err))
		}
		all = append(all, api.NewThreshold{Condition: condition.String(), Actions: actions})
	}
	for _, condition := range conditions {
		add("--overflow", condition, api.Actions{Overflow: true})
	}
	for _, text := range c.Thresholds {
		t, err := api.ParseThreshold(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("--threshold %w", err))
			continue
		}
		condition, err := monitor.Parse(t.Condition)
		if err != nil {
			errs = append(errs, fmt.Errorf("--threshold %w", err))
			continue
		}
		add("--threshold", condition, t.Actions)
	}
	return all, errors.Join(errs...)
}

// makeGauges makes the table; its thresholds come when all else is there.
func (a *Agent) makeGauges() (err error) {
	a.gauges, err = gauges.New(gauges.Config{
		Node: a.cfg.Name, Rules: gaugeRules(),
		// The balancer is there before the first threshold.
		Overflow: func(raised bool) { a.balancer.SetOverflow(raised) },
		Crossed:  func(c api.Crossing) { a.news.Add(api.EventThreshold, c) },
		Channels: eventChannels{a.channels},
		Dial:     a.cfg.Network.Dial,
		Logger:   a.log,
	})
	return err
}

// setThresholds sets those of the configuration.
func (a *Agent) setThresholds() error {
	all, err := a.cfg.thresholds()
	if err != nil {
		return err
	}
	for _, t := range all {
		if err := a.gauges.Configure(t); err != nil {
			return fmt.Errorf("--threshold %q: %w", t.Condition, err)
		}
	}
	return nil
}

// feedGauges sets the machine's gauges, all of them each time; what crosses is
// in force when it returns.
func (a *Agent) feedGauges(s host.Sample) error {
	for name, of := range hostGauges {
		var value *float64
		if v, ok := of(s); ok {
			value = &v
		}
		if err := a.gauges.Feed(monitor.Key{Name: name}, gauges.Machine, value, 0); err != nil {
			return err
		}
	}
	return nil
}

// overflowDetail says for readiness which conditions raise overflow now.
func (a *Agent) overflowDetail() string {
	raising := a.gauges.Raising()
	if len(raising) == 0 {
		return "not raised"
	}
	return "raised by " + strings.Join(raising, ", ") + ": requests go to peers that have room"
}

// eventChannels are the channels that thresholds submit events on: those of
// applications.
type eventChannels struct{ *channels.Table }

var _ gauges.Channels = eventChannels{}

// Open opens a channel for good.
func (e eventChannels) Open(name string) error { return e.Hold(name) }
