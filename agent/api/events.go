package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"sync/atomic"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"kecho/agent/news"
)

// The types of what /v1/events tells that this package has the data of.
const (
	EventThreshold = "threshold" // Crossing
	EventMember    = "member"    // MemberChange
	EventLink      = "link"      // LinkChange
	EventState     = "state"     // StateChange
	EventGap       = "gap"       // Gap; without an ID
)

// Event is one thing that happened on a node.
type Event = news.Item

// Gap says that events are not there any more that a reader has not seen.
type Gap struct {
	// Missed is how many; 0: that is not known, since the agent was restarted.
	Missed uint64 `json:"missed"`
}

// MemberChange says that a node is not what it was.
type MemberChange struct {
	Name string `json:"name"`
	ID   string `json:"id"`
	// Status is what it is now, as Member has it; Was what it was, "" for a
	// node that is new.
	Status string `json:"status"`
	Was    string `json:"was"`
}

// LinkChange says that the link to a node came up or went down.
type LinkChange struct {
	Name string `json:"name"`
	ID   string `json:"id"`
	Up   bool   `json:"up"`
	// Cause is why it went down; "" when it came up.
	Cause string `json:"cause"`
}

// StateChange says that this node is not in the state that it was in.
type StateChange struct {
	State State `json:"state"`
	Was   State `json:"was"`
}

const maxStreams = 64

// Events are a page of what happens.
type Events struct {
	// Items are the oldest first.
	Items []Event `json:"items"`
	// Next is what to ask for with after.
	Next string `json:"next"`
	// Gap says that events before Items are not there any more; null when none
	// is missing.
	Gap *Gap `json:"gap"`
}

// EventsInput is which events are read, and how.
type EventsInput struct {
	Types []string `query:"type" maxItems:"16" doc:"only events of these types, with commas between"`
	After string   `query:"after" maxLength:"64" doc:"an id: the events behind it; without it a list has all that are kept, and a stream those that come"`
	Reading
}

// addEvents adds what happens, as a list and as streams.
func (e endpoints) addEvents(log *news.Log) {
	var streams atomic.Int64
	type output struct{ Body func(huma.Context) }
	add(e, huma.Operation{
		Method: http.MethodGet, Path: "/v1/events", OperationID: "events", Summary: "What happens on this node: as a list, for long polling, or as a stream",
		Description: "Each event is an object with id, type, time and data. A gap is told: as the list's gap, in a stream as an event of type gap without an id.",
		Responses: map[string]*huma.Response{"200": {Description: "The events.", Content: map[string]*huma.MediaType{
			jsonType: {Schema: e.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Events](), true, "Events")},
			sseType:  {}, ndjsonType: {},
		}}},
	}, func(ctx context.Context, in *EventsInput) (*output, error) {
		r, err := in.begin(log, in.After)
		if err != nil {
			return nil, err
		}
		if streams.Add(1) > maxStreams {
			streams.Add(-1)
			return nil, &Error{Code: TryLater, Detail: fmt.Sprintf("%d others listen already", maxStreams)}
		}
		return &output{func(c huma.Context) {
			defer streams.Add(-1)
			_, w := humago.Unwrap(c)
			r.has, r.forms = func(item Event) bool { return wanted(in.Types, item.Type) }, newsForms
			r.serve(ctx, w)
		}}, nil
	})
}

// wanted reports whether what is among all; none stand for all.
func wanted(all []string, what string) bool {
	return len(all) == 0 || slices.Contains(all, what)
}

// newsForms are how the agent's news are written.
var newsForms = forms{
	list: func(items []Event, next string, gap *Gap) any {
		if items == nil {
			items = []Event{}
		}
		return Events{Items: items, Next: next, Gap: gap}
	},
	sse: func(item Event) string {
		id := ""
		if item.ID != "" {
			id = "id: " + item.ID + "\n"
		}
		return fmt.Sprintf("%sevent: %s\ndata: %s\n\n", id, item.Type, newsText(item))
	},
	ndjson: func(item Event) string { return string(newsText(item)) + "\n" },
}

func newsText(item Event) []byte {
	text, _ := json.Marshal(item) // its data was JSON before
	return text
}
