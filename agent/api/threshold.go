package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"kecho/resmgr/monitor"
)

// Threshold is a condition that is watched on a gauge, and what it does when
// it is crossed.
type Threshold struct {
	// ID is of this life of the agent.
	ID string `json:"id"`
	// Gauge and Statistic are parts of Condition: "errors" and
	// "rate(errors, 10s)" of "rate(errors, 10s) > 5".
	Gauge     string `json:"gauge"`
	Statistic string `json:"statistic"`
	Condition string `json:"condition"`
	// Source is "configuration" or "api"; what comes from the configuration is
	// there again after a restart.
	Source string `json:"source"`
	Raised bool   `json:"raised"`
	// Value is the statistic's; null while the gauge is absent.
	Value *float64 `json:"value"`
	// Since is when it was crossed last, either way; null before.
	Since *time.Time `json:"since"`
	Actions
	// Crossings is how often it was raised or cancelled.
	Crossings int64 `json:"crossings"`
	// Undelivered is how many of those the event or the webhook did not tell.
	Undelivered int64 `json:"undelivered"`
	// LastError is why; "" when all were told.
	LastError string `json:"last_error"`
}

// Actions are what a threshold does besides what every threshold does: it is
// logged and told at /v1/events.
type Actions struct {
	// Overflow has requests go to peers that have room while it is raised.
	Overflow bool `json:"overflow,omitempty" doc:"while it is raised, requests go to peers that have room"`
	// Event submits an event on a channel for each crossing, with a Crossing
	// as its body.
	Event *ChannelEvent `json:"event,omitempty" doc:"submit an event for each crossing"`
	// Webhook is the URL that each Crossing is POSTed to. What an agent shows
	// of it ends with the host: the rest may be a secret.
	Webhook string `json:"webhook,omitempty" maxLength:"1024" doc:"POST each crossing to this http or https URL"`
}

// ChannelEvent is a channel and the type of what is submitted there.
type ChannelEvent struct {
	Channel string `json:"channel" minLength:"1" maxLength:"64"`
	Type    string `json:"type" minLength:"1" maxLength:"64"`
}

// NewThreshold is a threshold that is to be set.
type NewThreshold struct {
	Condition string `json:"condition" minLength:"1" maxLength:"1024" example:"cpu > 0.85 cancel < 0.7"`
	Actions
}

// Gauge is the gauge that the condition is on. Its error says what is wrong
// with the condition, and where.
func (n NewThreshold) Gauge() (name string, err error) {
	c, err := monitor.Parse(n.Condition)
	if err != nil {
		return "", &Error{Code: Usage, Detail: err.Error(), Err: err}
	}
	return c.Of.Of.String(), nil
}

// Crossing is what is told of a threshold that was crossed: the body of its
// event and its webhook, and the data of /v1/events.
type Crossing struct {
	Threshold string `json:"threshold"` // its ID
	// Sequence counts the threshold's crossings from 1, so that who is told
	// sees what is missing.
	Sequence  int64  `json:"sequence"`
	Node      string `json:"node"`
	Gauge     string `json:"gauge"`
	Statistic string `json:"statistic"`
	Condition string `json:"condition"`
	// Raised is false when it was cancelled.
	Raised bool `json:"raised"`
	// Value is the statistic's; null when the gauge is absent now.
	Value *float64  `json:"value"`
	Time  time.Time `json:"time"`
}

// ParseThreshold reads a threshold as it is written in the configuration and
// on the command line: a condition, and perhaps "do" and actions, of which
// there are overflow, event=CHANNEL/TYPE and webhook=URL:
//
//	cpu > 0.85 cancel < 0.7 do overflow webhook=https://hooks.example/kecho
//
// The condition is not looked at.
func ParseThreshold(text string) (NewThreshold, error) {
	condition, actions, _ := strings.Cut(text, " do ")
	t := NewThreshold{Condition: strings.TrimSpace(condition)}
	for word := range strings.FieldsSeq(actions) {
		name, value, _ := strings.Cut(word, "=")
		channel, kind, ok := strings.Cut(value, "/")
		switch {
		case word == "overflow":
			t.Overflow = true
		case name == "webhook" && value != "":
			t.Webhook = value
		case name == "event" && ok && channel != "" && kind != "":
			t.Event = &ChannelEvent{Channel: channel, Type: kind}
		default:
			return t, &Error{Code: Usage, Detail: fmt.Sprintf("%.200q: after do, want overflow, event=CHANNEL/TYPE or webhook=URL, found %.80q", text, word)}
		}
	}
	return t, nil
}

// String is the actions' text form, without "do"; "" for none.
func (a Actions) String() string {
	var words []string
	if a.Overflow {
		words = append(words, "overflow")
	}
	if a.Event != nil {
		words = append(words, "event="+a.Event.Channel+"/"+a.Event.Type)
	}
	if a.Webhook != "" {
		words = append(words, "webhook="+a.Webhook)
	}
	return strings.Join(words, " ")
}

func (e endpoints) addThresholds(g Gauges) {
	const path = "/v1/gauges/{name}/thresholds"
	add(e, huma.Operation{
		Method: http.MethodGet, Path: path, OperationID: "thresholds", Summary: "The thresholds on a gauge",
	}, func(_ context.Context, in *GaugePath) (*answer[List[Threshold]], error) {
		found, err := findGauge(g, in.Name)
		return listOf(found.Thresholds), err
	})
	type post struct {
		GaugePath
		Body NewThreshold
	}
	add(e, huma.Operation{
		Method: http.MethodPost, Path: path, OperationID: "watch-gauge", Summary: "Set a threshold on a gauge", DefaultStatus: http.StatusCreated,
	}, func(_ context.Context, in *post) (*answer[Threshold], error) {
		t, err := g.Watch(in.Name, in.Body)
		return &answer[Threshold]{t}, err
	})
	type one struct {
		GaugePath
		ID string `path:"id" maxLength:"32"`
	}
	add(e, huma.Operation{
		Method: http.MethodDelete, Path: path + "/{id}", OperationID: "unwatch-gauge", Summary: "Take a threshold away",
	}, func(_ context.Context, in *one) (*nothing, error) {
		return nil, g.Unwatch(in.Name, in.ID)
	})
}
