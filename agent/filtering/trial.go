package filtering

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"kecho/agent/api"
	"kecho/channel"
	"kecho/filters/dynamic"
)

// Test is api.Filters'. The sinks' nodes are 1, 2, 3 and so on.
func (t *Table) Test(trial api.FilterTrial) (api.FilterOutcome, error) {
	spec, err := specOf(trial.Filter)
	if err != nil {
		return api.FilterOutcome{}, err
	}
	event, sinks, err := read(trial)
	if err != nil {
		return api.FilterOutcome{}, &api.Error{Code: api.Invalid, Detail: err.Error()}
	}
	out, err := t.runtime.Test(dynamic.Direction(trial.Direction), spec, event, sinks)
	if err != nil {
		return api.FilterOutcome{}, coded(err)
	}
	outcome := api.FilterOutcome{Kept: []int{}, Took: out.Took.Seconds() * 1000}
	if out.Err != nil {
		outcome.Error = out.Err.Error()
	}
	for _, s := range out.Kept {
		outcome.Kept = append(outcome.Kept, int(s.Node)-1)
	}
	return outcome, nil
}

func read(trial api.FilterTrial) (*channel.Event, []channel.Sink, error) {
	if n := trial.Event.Size; n < 0 || n > channel.MaxBody {
		return nil, nil, fmt.Errorf("body.event.size: %d: want 0 to %d", n, channel.MaxBody)
	}
	e := &channel.Event{ID: channel.ID{Source: 1, Seq: 1}, Type: channel.Type(trial.Event.Type), Body: make([]byte, trial.Event.Size)}
	switch trial.Event.Priority {
	case "urgent":
		e.Priority = channel.Urgent
	case "bulk":
		e.Priority = channel.Bulk
	}
	var err error
	if e.Attrs, err = attrs("body.event.attributes", trial.Event.Attributes); err != nil {
		return nil, nil, err
	}
	if e.From, err = attrs("body.event.from", trial.Event.From); err != nil {
		return nil, nil, err
	}
	now := time.Now()
	sinks := make([]channel.Sink, len(trial.Sinks))
	for i, s := range trial.Sinks {
		sinks[i] = channel.Sink{Node: channel.NodeID(i + 1), Local: s.Local, Heard: now.Add(-time.Duration(s.Age * float64(time.Millisecond)))}
		if sinks[i].Attrs, err = attrs(fmt.Sprintf("body.sinks[%d].attributes", i), s.Attributes); err != nil {
			return nil, nil, err
		}
	}
	return e, sinks, nil
}

// attrs is JSON as attributes, by name.
func attrs(where string, values map[string]any) (channel.Attrs, error) {
	if len(values) > channel.MaxAttrs {
		return nil, fmt.Errorf("%s: %d attributes, at most %d", where, len(values), channel.MaxAttrs)
	}
	var all channel.Attrs
	for _, name := range slices.Sorted(maps.Keys(values)) {
		a, ok := attr(name, values[name])
		if !ok || name == "" || len(name) > channel.MaxName {
			return nil, fmt.Errorf(`%s.%.64q: want a name of 1 to %d bytes and a boolean, a text of at most %d bytes, a number, or {"float": NUMBER}`,
				where, name, channel.MaxName, channel.MaxText)
		}
		all = append(all, a)
	}
	return all, nil
}

func attr(name string, value any) (a channel.Attr, ok bool) {
	switch v := value.(type) {
	case bool:
		return channel.Key[bool](name).Of(v), true
	case string:
		return channel.Key[string](name).Of(v), len(v) <= channel.MaxText
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return channel.Key[int64](name).Of(int64(v)), true
		}
		return channel.Key[float64](name).Of(v), true
	case map[string]any:
		f, isNumber := v["float"].(float64)
		return channel.Key[float64](name).Of(f), isNumber && len(v) == 1
	}
	return a, false
}
