package expression

import (
	"fmt"
	"time"

	"github.com/expr-lang/expr"

	"kecho/channel"
	"kecho/filters"
)

// environment is what an expression sees of one event. The language reads its
// exported fields by reflection.
type environment struct {
	Type     string  `expr:"type"`
	Source   string  `expr:"source"`
	Re       string  `expr:"re"`
	Priority int     `expr:"priority"`
	Urgent   int     `expr:"urgent"`
	Normal   int     `expr:"normal"`
	Bulk     int     `expr:"bulk"`
	Size     int     `expr:"size"`
	Event    *record `expr:"event"`
	From     *record `expr:"from"`
	Sinks    []*sink `expr:"sinks"`
}

// record is attributes to look up by name.
type record struct{ attrs channel.Attrs }

// sink is a channel.Sink as an expression sees it.
type sink struct {
	Node     string  `expr:"node"`
	Local    bool    `expr:"local"`
	Age      float64 `expr:"age"`
	Name     string  `expr:"name"`
	Zone     string  `expr:"zone"`
	Load     float64 `expr:"load"`
	Capacity int     `expr:"capacity"`
	Service  float64 `expr:"service"`
	Weight   float64 `expr:"weight"`
	Draining bool    `expr:"draining"`

	attrs channel.Attrs
	index int
}

// fill sets the fields that are used.
func (s *sink) fill(from *channel.Sink, used fields, now time.Time) {
	s.attrs, s.Local = from.Attrs, from.Local
	if used.node {
		s.Node = from.Node.String()
	}
	if used.age {
		s.Age = max(now.Sub(from.Heard).Seconds(), 0)
	}
	if used.name {
		s.Name, _ = filters.Name.In(from.Attrs)
	}
	if used.zone {
		s.Zone, _ = filters.Zone.In(from.Attrs)
	}
	if used.load {
		var ok bool
		if s.Load, ok = filters.LoadIn(from.Attrs); !ok {
			s.Load = filters.MaxLoad // who cannot measure itself is never taken for idle
		}
	}
	if used.capacity {
		places, ok := filters.CapacityIn(from.Attrs)
		if s.Capacity = int(places); !ok {
			s.Capacity = 1
		}
	}
	if used.service {
		mean, _ := filters.ServiceIn(from.Attrs)
		s.Service = mean.Seconds()
	}
	if used.weight {
		s.Weight = filters.WeightIn(from.Attrs)
	}
	if used.draining {
		s.Draining, _ = filters.Draining.In(from.Attrs)
	}
}

// fields says which of a sink's and an event's fields cost something and are
// used.
type fields struct {
	source, re                                                    bool
	sinks, node, age, name, zone, load, capacity, service, weight bool
	draining                                                      bool
}

func fieldsOf(used map[string]bool) fields {
	return fields{
		source: used["source"], re: used["re"], sinks: used["sinks"],
		node: used["node"], age: used["age"], name: used["name"], zone: used["zone"], load: used["load"],
		capacity: used["capacity"], service: used["service"], weight: used["weight"], draining: used["draining"],
	}
}

// holder is what has attributes to look up by name: a record or a sink.
type holder interface{ attributes() channel.Attrs }

func (r *record) attributes() channel.Attrs { return r.attrs }
func (s *sink) attributes() channel.Attrs   { return s.attrs }

// functions are those that look an attribute up.
func functions() []expr.Option {
	return []expr.Option{
		expr.Function("number", number, new(func(holder, string, float64) float64)),
		expr.Function("text", lookup[string], new(func(holder, string, string) string)),
		expr.Function("flag", lookup[bool], new(func(holder, string, bool) bool)),
		expr.Function("has", has, new(func(holder, string) bool)),
	}
}

func number(params ...any) (any, error) {
	attrs, name := params[0].(holder).attributes(), params[1].(string)
	if v, ok := channel.Key[float64](name).In(attrs); ok {
		return v, nil
	}
	if v, ok := channel.Key[int64](name).In(attrs); ok {
		return float64(v), nil
	}
	switch v := params[2].(type) {
	case float64:
		return v, nil
	case int:
		return float64(v), nil
	}
	return nil, fmt.Errorf("number: the default %v is not a number", params[2])
}

func lookup[T channel.Value](params ...any) (any, error) {
	if v, ok := channel.Key[T](params[1].(string)).In(params[0].(holder).attributes()); ok {
		return v, nil
	}
	return params[2], nil
}

func has(params ...any) (any, error) {
	name := params[1].(string)
	for _, a := range params[0].(holder).attributes() {
		if a.Name == name {
			return true, nil
		}
	}
	return false, nil
}
