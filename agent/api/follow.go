package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

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

const (
	ndjsonType = "application/x-ndjson"
	maxPoll    = time.Minute
	maxReaders = 256
)

// FollowInput is which events of a channel are read, and how.
type FollowInput struct {
	ChannelPath
	Types  []string `query:"type" maxItems:"16" doc:"only events of these types, with commas between"`
	After  string   `query:"after" maxLength:"64" doc:"a cursor: the events behind it; without it a list has all that are kept, and a stream those that come"`
	Wait   string   `query:"wait" maxLength:"32" doc:"how long a list waits for an event when there is none: 1m at most" example:"30s"`
	Last   string   `header:"Last-Event-ID" maxLength:"64" doc:"as after, for server-sent events"`
	Accept string   `header:"Accept" doc:"text/event-stream and application/x-ndjson are streams; all else is a list"`
}

// kind is the content type of the answer.
func (in *FollowInput) kind() string {
	for _, kind := range []string{"text/event-stream", ndjsonType} {
		if strings.Contains(in.Accept, kind) {
			return kind
		}
	}
	return "application/json"
}

// position is where the reader begins.
func (in *FollowInput) position(log *news.Log) (news.Position, error) {
	field, after := "query.after", in.After
	if in.Last != "" {
		field, after = "header.Last-Event-ID", in.Last
	}
	switch {
	case after != "":
		at, err := log.Behind(after)
		if err != nil {
			return at, &Error{Code: Invalid, Detail: field + ": " + err.Error()}
		}
		return at, nil
	case in.kind() == "application/json":
		return log.Start(), nil
	}
	return log.Now(), nil
}

func (in *FollowInput) patience() (time.Duration, error) {
	if in.Wait == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(in.Wait)
	if err != nil || d < 0 || d > maxPoll {
		return 0, &Error{Code: Invalid, Detail: fmt.Sprintf("query.wait: %.40q is not a duration from 0s to %v, such as 30s", in.Wait, maxPoll)}
	}
	return d, nil
}

func (e endpoints) addFollow(table *channels.Table) {
	var readers atomic.Int64
	type output struct{ Body func(huma.Context) }
	add(e, huma.Operation{
		Method: http.MethodGet, Path: channelsPath + "/{channel}/events", OperationID: "follow", Summary: "A channel's events: as a list, for long polling, or as a stream",
		Description: "Each is a CloudEvent with the extension kechocursor, behind which a reader can go on. " +
			"A gap is told: as the list's gap, as a server-sent event of type gap, as a line {\"gap\":...}.",
		Responses: map[string]*huma.Response{"200": {Description: "The events.", Content: map[string]*huma.MediaType{
			"application/json":  {Schema: e.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[ChannelEvents](), true, "ChannelEvents")},
			"text/event-stream": {}, ndjsonType: {},
		}}},
	}, func(ctx context.Context, in *FollowInput) (*output, error) {
		c, err := table.At(in.Channel)
		if err != nil {
			return nil, channelFailure(err)
		}
		at, err := in.position(c.Log())
		if err != nil {
			return nil, err
		}
		patience, err := in.patience()
		if err != nil {
			return nil, err
		}
		if readers.Add(1) > maxReaders {
			readers.Add(-1)
			return nil, &Error{Code: TryLater, Detail: fmt.Sprintf("%d others read channels already", maxReaders)}
		}
		return &output{func(hc huma.Context) {
			defer readers.Add(-1)
			_, w := humago.Unwrap(hc)
			if in.kind() == "application/json" {
				w.Header().Set("Content-Type", "application/json")
				control := http.NewResponseController(w)
				_ = control.SetWriteDeadline(time.Now().Add(patience + streamWrite)) // a recorder of a test has none
				writeJSON(w, poll(ctx, c.Log(), at, pollFor{patience, in.Types}))
				return
			}
			s := stream{w: w, control: http.NewResponseController(w), types: in.Types, kind: in.kind(), form: eventForms[in.kind()]}
			s.run(ctx, c.Log(), at)
		}}, nil
	})
}

// pollFor is what one list waits for.
type pollFor struct {
	patience time.Duration
	types    []string
}

// poll is what comes after at, as soon as there is something of the wanted
// types, or nothing when patience is over.
func poll(ctx context.Context, log *news.Log, at news.Position, want pollFor) ChannelEvents {
	over := time.NewTimer(want.patience)
	defer over.Stop()
	for {
		page := log.After(at)
		list := ChannelEvents{Items: []json.RawMessage{}, Next: log.ID(page.Next)}
		for _, item := range page.Items {
			if wanted(want.types, item.Type) {
				list.Items = append(list.Items, withCursor(item))
			}
		}
		if page.Gap {
			list.Gap = &Gap{Missed: page.Missed}
		}
		if len(list.Items) > 0 || page.Gap || page.End || want.patience == 0 {
			return list
		}
		at = page.Next
		select {
		case <-page.More:
		case <-over.C:
			return list
		case <-ctx.Done():
			return list
		}
	}
}

// withCursor is a CloudEvent that says where in the log it stands.
func withCursor(item news.Item) json.RawMessage {
	return append([]byte(`{"`+channels.ExtCursor+`":"`+item.ID+`",`), item.Data[1:]...)
}

// eventForms are how a channel's events are written in each kind of stream; a
// gap is an item without an ID.
var eventForms = map[string]func(item Event) string{
	"text/event-stream": func(item Event) string {
		if item.ID == "" {
			return fmt.Sprintf("event: %s\ndata: %s\n\n", EventGap, item.Data)
		}
		return fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", item.ID, oneLine(item.Type), withCursor(item))
	},
	ndjsonType: func(item Event) string {
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
