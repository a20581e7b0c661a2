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
		s.Age = ageOf(from, now)
	}
	if used.name {
		s.Name, _ = filters.Name.In(from.Attrs)
	}
	if used.zone {
		s.Zone, _ = filters.Zone.In(from.Attrs)
	}
	if used.load {
		s.Load = loadOf(from)
	}
	if used.capacity {
		s.Capacity = capacityOf(from)
	}
	if used.service {
		s.Service = serviceOf(from)
	}
	if used.weight {
		s.Weight = filters.WeightIn(from.Attrs)
	}
	if used.draining {
		s.Draining = drainingOf(from)
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
		expr.Function("number", callNumber, new(func(holder, string, float64) float64)),
		expr.Function("text", callValue[string], new(func(holder, string, string) string)),
		expr.Function("flag", callValue[bool], new(func(holder, string, bool) bool)),
		expr.Function("has", callHas, new(func(holder, string) bool)),
	}
}

func callNumber(params ...any) (any, error) {
	var or float64
	switch v := params[2].(type) {
	case float64:
		or = v
	case int:
		or = float64(v)
	default:
		return nil, fmt.Errorf("number: the default %v is not a number", params[2])
	}
	return numberIn(params[0].(holder).attributes(), params[1].(string), or), nil
}

func callValue[T channel.Value](params ...any) (any, error) {
	return valueIn(params[0].(holder).attributes(), params[1].(string), params[2].(T)), nil
}

func callHas(params ...any) (any, error) {
	return hasIn(params[0].(holder).attributes(), params[1].(string)), nil
}

// numberIn is the attribute of that name, a float or an integer, or else or.
func numberIn(attrs channel.Attrs, name string, or float64) float64 {
	if v, ok := channel.Key[float64](name).In(attrs); ok {
		return v
	}
	if v, ok := channel.Key[int64](name).In(attrs); ok {
		return float64(v)
	}
	return or
}

func valueIn[T channel.Value](attrs channel.Attrs, name string, or T) T {
	if v, ok := channel.Key[T](name).In(attrs); ok {
		return v
	}
	return or
}

func hasIn(attrs channel.Attrs, name string) bool {
	for i := range attrs {
		if attrs[i].Name == name {
			return true
		}
	}
	return false
}

// The fields of events and sinks that are not just there.

func reOf(e *channel.Event) string {
	if e.Re.IsZero() {
		return ""
	}
	return e.Re.Source.String()
}

func ageOf(s *channel.Sink, now time.Time) float64 { return max(now.Sub(s.Heard).Seconds(), 0) }

func loadOf(s *channel.Sink) float64 {
	if load, ok := filters.LoadIn(s.Attrs); ok {
		return load
	}
	return filters.MaxLoad // who cannot measure itself is never taken for idle
}

func capacityOf(s *channel.Sink) int {
	if places, ok := filters.CapacityIn(s.Attrs); ok {
		return int(places)
	}
	return 1
}

func serviceOf(s *channel.Sink) float64 {
	mean, _ := filters.ServiceIn(s.Attrs)
	return mean.Seconds()
}

func drainingOf(s *channel.Sink) bool { return valueIn(s.Attrs, string(filters.Draining), false) }
