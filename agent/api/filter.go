package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Filter is one that is on a channel; package filters/dynamic has what the
// words mean.
type Filter struct {
	Channel   string `json:"channel"`
	Direction string `json:"direction"` // in or out
	Kind      string `json:"kind"`
	// Source is the filter's text; "" of a module.
	Source string `json:"source"`
	// Size is the bytes of its text or module.
	Size int `json:"size"`
	// Revision rises with each filter that is put, and is never used again.
	Revision uint64      `json:"revision"`
	Since    time.Time   `json:"since"`
	Fallback string      `json:"fallback"`
	Stats    FilterStats `json:"stats"`
}

// FilterStats is what a filter did since it was put.
type FilterStats struct {
	FilterCost
	Failed    uint64 `json:"failed"`  // cut off, or ended with an error
	Skipped   uint64 `json:"skipped"` // events of the time that it rested after failures
	Dropped   uint64 `json:"dropped"` // events that were left no sink
	LastError string `json:"last_error"`
}

// FilterCost is how often filters ran, and how long that took: one of 64 runs
// is timed.
type FilterCost struct {
	Runs uint64  `json:"runs"`
	Mean float64 `json:"mean_ms"`
	Max  float64 `json:"max_ms"`
}

// NewFilter is a filter to put, or to test.
type NewFilter struct {
	Kind     string `json:"kind" enum:"stock,expression,wasm"`
	Source   string `json:"source,omitempty" doc:"the text of a stock filter or an expression"`
	Module   []byte `json:"module,omitempty" doc:"a WebAssembly module, as base64"`
	Fallback string `json:"fallback,omitempty" enum:"pass,drop" doc:"what becomes of an event whose run failed; pass unless given"`
}

// FilterTrial is what a filter is tested on.
type FilterTrial struct {
	Direction string      `json:"direction" enum:"in,out"`
	Filter    NewFilter   `json:"filter"`
	Event     TrialEvent  `json:"event"`
	Sinks     []TrialSink `json:"sinks" maxItems:"1000"`
}

// TrialEvent is an event of a test. An attribute is a boolean, a text or a
// number; a number without a fraction is an integer, unless it is to be float:
// {"load": {"float": 1}}.
type TrialEvent struct {
	Type       string         `json:"type" minLength:"1" maxLength:"64"`
	Priority   string         `json:"priority,omitempty" enum:"urgent,normal,bulk"`
	Size       int            `json:"size,omitempty" minimum:"0" maximum:"98304" doc:"bytes of its data, which filters do not see"`
	Attributes map[string]any `json:"attributes,omitempty"`
	From       map[string]any `json:"from,omitempty" doc:"what the source's node says of itself"`
}

// TrialSink is a sink of a test.
type TrialSink struct {
	Local      bool           `json:"local,omitempty"`
	Age        float64        `json:"age_ms,omitempty" minimum:"0" maximum:"1e9"`
	Attributes map[string]any `json:"attributes,omitempty"`
}

// FilterOutcome is what a filter did in a test.
type FilterOutcome struct {
	// Kept is which of the sinks are left, counted from 0, best first.
	Kept []int `json:"kept"`
	// Took is the time of the run alone.
	Took float64 `json:"took_ms"`
	// Error is why the run failed, when the fallback would decide; else "".
	Error string `json:"error"`
}

// StockFilter is a filter that is known by name.
type StockFilter struct {
	Name  string `json:"name"`
	About string `json:"about"`
	// In says that it makes sense as an IN-filter too; all do as OUT-filters.
	In         bool              `json:"in"`
	Parameters []FilterParameter `json:"parameters"`
}

// FilterParameter is one of a stock filter, as name=value.
type FilterParameter struct {
	Name string `json:"name"`
	// Type is count, duration, text, list, or words with bars between, of which
	// it is one.
	Type string `json:"type"`
	// Default is what counts when it is not given; "": see About.
	Default  string `json:"default"`
	Required bool   `json:"required"`
	About    string `json:"about"`
}

// FilterPlace is where a filter is changed.
type FilterPlace struct {
	Channel, Direction string
	// If, unless it is nil, is called with the filter that is there, or nil,
	// while no other can be put: with its error nothing is changed.
	If func(now *Filter) error
}

// Filters are the filters on the channels of a running agent. Errors that have
// a code are of type *Error.
type Filters interface {
	// Filters is all of them, by channel and direction.
	Filters() []Filter
	// Put makes f a channel's filter, in place of the one that is there.
	Put(at FilterPlace, f NewFilter) (Filter, error)
	// Remove takes one off.
	Remove(at FilterPlace) error
	// Test runs one on what t has and touches no channel.
	Test(t FilterTrial) (FilterOutcome, error)
}

// FilterPath is where one filter is, for the inputs of endpoints.
type FilterPath struct {
	Channel   string `path:"channel" maxLength:"64"`
	Direction string `path:"direction" enum:"in,out"`
}

const filterPath = "/v1/channels/{channel}/filters/{direction}"

// takesFilter reports whether what is sent to path has a filter in it.
func takesFilter(path string) bool {
	return path == "/v1/filters/test" || strings.HasPrefix(path, "/v1/channels/") && strings.Contains(path, "/filters/")
}

// FilterCondition is what a filter must be now to be changed.
type FilterCondition struct {
	Match  string `header:"If-Match" maxLength:"256" doc:"only if it is this one: its ETag, or * for any"`
	NoneIs string `header:"If-None-Match" maxLength:"8" enum:"*" doc:"* : only if there is none"`
}

// check is a FilterPlace's If.
func (in *FilterCondition) check(now *Filter) error {
	have := "none"
	if now != nil {
		have = tagOf(*now)
	}
	switch {
	case in.Match != "" && (now == nil || in.Match != "*" && in.Match != have):
		return &Error{Code: Changed, Detail: fmt.Sprintf("header.If-Match: the filter there is %s, not %.100s", have, in.Match)}
	case in.NoneIs != "" && now != nil:
		return &Error{Code: Changed, Detail: "header.If-None-Match: there is a filter, " + have}
	}
	return nil
}

// tagOf is a filter's ETag: revisions are counted anew when an agent starts.
func tagOf(f Filter) string { return fmt.Sprintf(`"%d-%x"`, f.Revision, f.Since.UnixNano()) }

// FilterState is one filter with its ETag.
type FilterState struct {
	ETag string `header:"ETag"`
	Body Filter
}

func (e endpoints) addFilters(f Filters, stock []StockFilter) {
	add(e, huma.Operation{
		Method: http.MethodGet, Path: "/v1/filters", OperationID: "filters", Summary: "All filters on channels, with what they did",
	}, func(context.Context, *nothing) (*answer[List[Filter]], error) {
		return listOf(f.Filters()), nil
	})
	add(e, huma.Operation{
		Method: http.MethodGet, Path: "/v1/filters/stock", OperationID: "stock-filters", Summary: "The filters that are known by name, with their parameters",
	}, func(context.Context, *nothing) (*answer[List[StockFilter]], error) {
		return listOf(stock), nil
	})
	add(e, huma.Operation{
		Method: http.MethodGet, Path: filterPath, OperationID: "filter", Summary: "One filter of a channel",
	}, func(_ context.Context, in *FilterPath) (*FilterState, error) {
		all := f.Filters()
		i := slices.IndexFunc(all, func(f Filter) bool { return f.Channel == in.Channel && f.Direction == in.Direction })
		if i < 0 {
			return nil, &Error{Code: NotFound, Detail: fmt.Sprintf("channel %.80q has no %s-filter; /v1/filters has all", in.Channel, in.Direction)}
		}
		return &FilterState{tagOf(all[i]), all[i]}, nil
	})
	type put struct {
		FilterPath
		FilterCondition
		Body NewFilter
	}
	add(e, huma.Operation{
		Method: http.MethodPut, Path: filterPath, OperationID: "put-filter", Summary: "Put a filter on a channel, or replace it",
		Description: "An event finishes with the filter that it began with.",
	}, func(_ context.Context, in *put) (*FilterState, error) {
		made, err := f.Put(FilterPlace{in.Channel, in.Direction, in.check}, in.Body)
		return &FilterState{tagOf(made), made}, err
	})
	type remove struct {
		FilterPath
		FilterCondition
	}
	add(e, huma.Operation{
		Method: http.MethodDelete, Path: filterPath, OperationID: "remove-filter", Summary: "Take a channel's filter off",
		DefaultStatus: http.StatusNoContent,
	}, func(_ context.Context, in *remove) (*nothing, error) {
		return nil, f.Remove(FilterPlace{in.Channel, in.Direction, in.check})
	})
	type test struct{ Body FilterTrial }
	add(e, huma.Operation{
		Method: http.MethodPost, Path: "/v1/filters/test", OperationID: "test-filter", Summary: "Run a filter on an event and sinks, touching no channel",
	}, func(_ context.Context, in *test) (*answer[FilterOutcome], error) {
		out, err := f.Test(in.Body)
		return &answer[FilterOutcome]{out}, err
	})
}

// Filters asks for all filters on channels.
func (c *Client) Filters(ctx context.Context) ([]Filter, error) {
	var list List[Filter]
	err := c.get(ctx, "/v1/filters", &list)
	return list.Items, err
}

// StockFilters asks for the filters that the agent knows by name.
func (c *Client) StockFilters(ctx context.Context) ([]StockFilter, error) {
	var list List[StockFilter]
	err := c.get(ctx, "/v1/filters/stock", &list)
	return list.Items, err
}

// PutFilter puts a filter on a channel; direction is in or out.
func (c *Client) PutFilter(ctx context.Context, channel, direction string, f NewFilter) (Filter, error) {
	var made Filter
	err := c.do(ctx, http.MethodPut, filterURL(channel, direction), f, &made)
	return made, err
}

// RemoveFilter takes a filter off a channel.
func (c *Client) RemoveFilter(ctx context.Context, channel, direction string) error {
	return c.do(ctx, http.MethodDelete, filterURL(channel, direction), nil, nil)
}

// TestFilter runs a filter on what t has.
func (c *Client) TestFilter(ctx context.Context, t FilterTrial) (FilterOutcome, error) {
	var out FilterOutcome
	err := c.do(ctx, http.MethodPost, "/v1/filters/test", t, &out)
	return out, err
}

func filterURL(channel, direction string) string {
	return "/v1/channels/" + url.PathEscape(channel) + "/filters/" + url.PathEscape(direction)
}
