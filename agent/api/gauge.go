package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Gauge is a value that rises and falls, as one agent has it.
type Gauge struct {
	// Name is the gauge's text form, with its item if it has one:
	// disk.used{item=/data}.
	Name string `json:"name"`
	// Value is what it was set to last; null while it is absent, which is not
	// the same as 0.
	Value *float64 `json:"value"`
	// Source is who set it last: "machine", "api", "upstream", "load-url"; ""
	// when nobody has.
	Source string `json:"source"`
	// Expires is in how many milliseconds it is absent unless it is set again;
	// null when its source says itself when it is.
	Expires    *float64    `json:"expires_ms"`
	Thresholds []Threshold `json:"thresholds"`
}

// GaugeValue is what a gauge is set to.
type GaugeValue struct {
	Value *float64 `json:"value" doc:"a finite number; null: absent from now on"`
	// TTL is as time.ParseDuration reads it, 1s to 24h. Zero: 1m.
	TTL string `json:"ttl,omitempty" maxLength:"32" doc:"after which the gauge is absent unless it is set again: 1s to 24h, 1m unless given" example:"30s"`
}

// How long a value holds that is set over the API.
const (
	minTTL     = time.Second
	maxTTL     = 24 * time.Hour
	defaultTTL = time.Minute
)

// Duration is the TTL; the error is of code Invalid.
func (v GaugeValue) Duration() (time.Duration, error) {
	if v.TTL == "" {
		return defaultTTL, nil
	}
	d, err := time.ParseDuration(v.TTL)
	if err != nil || d < minTTL || d > maxTTL {
		return 0, &Error{Code: Invalid, Detail: fmt.Sprintf("body.ttl: %.40q is not a duration from %v to %v, such as 30s", v.TTL, minTTL, maxTTL)}
	}
	return d, nil
}

// Gauges are the gauges of a running agent and the thresholds on them. Errors
// that have a code are of type *Error.
type Gauges interface {
	// Gauges is all of them, by name.
	Gauges() []Gauge
	// Set sets one for a time; it is made if it is not there.
	Set(name string, value *float64, ttl time.Duration) (Gauge, error)
	// Watch sets a threshold; t.Condition is on the gauge of that name.
	Watch(name string, t NewThreshold) (Threshold, error)
	// Unwatch takes a threshold away.
	Unwatch(name, id string) error
}

// GaugePath is where one gauge is, for the inputs of endpoints.
type GaugePath struct {
	Name string `path:"name" maxLength:"512" doc:"the gauge, with its item if it has one: disk.used{item=/data}, percent-encoded"`
}

func (e endpoints) addGauges(g Gauges) {
	add(e, huma.Operation{
		Method: http.MethodGet, Path: "/v1/gauges", OperationID: "gauges", Summary: "All gauges and the thresholds on them",
	}, func(context.Context, *nothing) (*answer[List[Gauge]], error) {
		return listOf(g.Gauges()), nil
	})
	add(e, huma.Operation{
		Method: http.MethodGet, Path: "/v1/gauges/{name}", OperationID: "gauge", Summary: "One gauge",
	}, func(_ context.Context, in *GaugePath) (*answer[Gauge], error) {
		found, err := findGauge(g, in.Name)
		return &answer[Gauge]{found}, err
	})
	type put struct {
		GaugePath
		Body GaugeValue
	}
	add(e, huma.Operation{
		Method: http.MethodPut, Path: "/v1/gauges/{name}", OperationID: "set-gauge", Summary: "Set a gauge for a time",
		Description: "A name with a dot in it, such as app.queue: the others are the machine's.",
	}, func(_ context.Context, in *put) (*answer[Gauge], error) {
		ttl, err := in.Body.Duration()
		if err != nil {
			return nil, err
		}
		set, err := g.Set(in.Name, in.Body.Value, ttl)
		return &answer[Gauge]{set}, err
	})
}

func findGauge(g Gauges, name string) (Gauge, error) {
	all := g.Gauges()
	i := slices.IndexFunc(all, func(g Gauge) bool { return g.Name == name })
	if i < 0 {
		return Gauge{}, &Error{Code: NotFound, Detail: fmt.Sprintf("there is no gauge %.200q; /v1/gauges has all", name)}
	}
	return all[i], nil
}
