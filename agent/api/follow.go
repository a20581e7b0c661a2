package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"kecho/agent/channels"
	"kecho/agent/news"
)

// ChannelEvents are a page of a channel's events.
type ChannelEvents struct {
	// Items are CloudEvents, the oldest first.
	Items []json.RawMessage `json:"items"`
	// Next is the cursor behind them: what to ask for with after.
	Next string `json:"next"`
	// Gap says that events before Items are not there any more; null when none
	// is missing.
	Gap *Gap `json:"gap"`
}

// Selection is which events of a channel are read.
type Selection struct {
	Types   []string `query:"type" maxItems:"16" doc:"only events of these types, with commas between"`
	Sources []string `query:"source" maxItems:"16" doc:"only events of these sources, with commas between"`
	After   string   `query:"after" maxLength:"64" doc:"a cursor: the events behind it; without it a list has all that are kept, and a stream those that come"`
}

// has reports whether an item is among them.
func (s *Selection) has(item news.Item) bool {
	return wanted(s.Types, item.Type) && wanted(s.Sources, item.Source)
}

// FollowInput is which events of a channel are read, and how.
type FollowInput struct {
	ChannelPath
	Selection
	Reading
}

func (e endpoints) addFollow(table *channels.Table) {
	type output struct{ Body func(huma.Context) }
	add(e, huma.Operation{
		Method: http.MethodGet, Path: channelsPath + "/{channel}/events", OperationID: "follow", Summary: "A channel's events: as a list, for long polling, or as a stream",
		Description: "Each is a CloudEvent with the extension kechocursor, behind which a reader can go on. " +
			"A gap is told: as the list's gap, as a server-sent event of type gap, as a line {\"gap\":...}.",
		Responses: map[string]*huma.Response{"200": {Description: "The events.", Content: map[string]*huma.MediaType{
			jsonType: {Schema: e.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[ChannelEvents](), true, "ChannelEvents")},
			sseType:  {}, ndjsonType: {},
		}}},
	}, func(ctx context.Context, in *FollowInput) (*output, error) {
		c, err := table.At(in.Channel)
		if err != nil {
			return nil, channelFailure(err)
		}
		ctx, leave, err := table.Enter(ctx, c)
		if err != nil {
			return nil, channelFailure(err)
		}
		r, err := in.begin(c.Log(), in.After)
		if err != nil {
			leave()
			return nil, err
		}
		return &output{func(hc huma.Context) {
			defer leave()
			_, w := humago.Unwrap(hc)
			r.has, r.forms = in.has, channelForms
			r.serve(ctx, w)
		}}, nil
	})
}

// withCursor is a CloudEvent that says where in the log it stands.
func withCursor(item news.Item) json.RawMessage {
	return append([]byte(`{"`+channels.ExtCursor+`":"`+item.ID+`",`), item.Data[1:]...)
}

// channelForms are how a channel's events are written.
var channelForms = forms{
	list: func(items []Event, next string, gap *Gap) any {
		list := ChannelEvents{Items: []json.RawMessage{}, Next: next, Gap: gap}
		for _, item := range items {
			list.Items = append(list.Items, withCursor(item))
		}
		return list
	},
	sse: func(item Event) string {
		if item.ID == "" {
			return fmt.Sprintf("event: %s\ndata: %s\n\n", EventGap, item.Data)
		}
		return fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", item.ID, oneLine(item.Type), withCursor(item))
	},
	ndjson: func(item Event) string {
		if item.ID == "" {
			return fmt.Sprintf("{\"gap\":%s}\n", item.Data)
		}
		return string(withCursor(item)) + "\n"
	},
}

// oneLine is a type without what would end its line.
func oneLine(s string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "\x00", " ").Replace(s)
}
