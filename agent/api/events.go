package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"kecho/agent/news"
)

// The types of what /v1/events tells that this package has the data of.
const (
	EventThreshold = "threshold" // Crossing
	EventMember    = "member"    // MemberChange
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

const (
	maxStreams  = 64
	streamWrite = 10 * time.Second // for a reader to take what is written
	streamPulse = 15 * time.Second // so that both ends see when the other is gone
)

// addEvents adds the stream of the log, in the form of server-sent events.
func (e endpoints) addEvents(log *news.Log) {
	var streams atomic.Int64
	type input struct {
		Types []string `query:"type" maxItems:"16" doc:"only events of these types, with commas between"`
		Last  string   `header:"Last-Event-ID" maxLength:"64" doc:"the last event that was seen: those after it come first"`
	}
	type output struct{ Body func(huma.Context) }
	add(e, huma.Operation{
		Method: http.MethodGet, Path: "/v1/events", OperationID: "events", Summary: "What happens on this node, as it happens",
		Description: "Server-sent events; data is an object with id, type, time and data. An event of type gap tells how many were missed.",
		Responses: map[string]*huma.Response{"200": {
			Description: "A stream that ends with the agent.", Content: map[string]*huma.MediaType{"text/event-stream": {}},
		}},
	}, func(ctx context.Context, in *input) (*output, error) {
		at := log.Now()
		if in.Last != "" {
			var err error
			if at, err = log.Behind(in.Last); err != nil {
				return nil, &Error{Code: Invalid, Detail: "header.Last-Event-ID: " + err.Error()}
			}
		}
		if streams.Add(1) > maxStreams {
			streams.Add(-1)
			return nil, &Error{Code: TryLater, Detail: fmt.Sprintf("%d others listen already", maxStreams)}
		}
		return &output{func(c huma.Context) {
			defer streams.Add(-1)
			_, w := humago.Unwrap(c)
			s := stream{w: w, control: http.NewResponseController(w), types: in.Types, kind: "text/event-stream", form: newsForm}
			s.run(ctx, log, at)
		}}, nil
	})
}

// stream is one reader of the log.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	types   []string
	kind    string             // the content type
	form    func(Event) string // one item as text; a gap has no ID
}

// pulse is what shows that the stream lives.
func (s *stream) pulse() string {
	if s.kind == ndjsonType {
		return "\n" // a line of nothing
	}
	return ":\n\n"
}

// run writes what comes after at until the reader or the log is gone.
func (s *stream) run(ctx context.Context, log *news.Log, at news.Position) {
	s.w.Header().Set("Content-Type", s.kind)
	s.w.WriteHeader(http.StatusOK)
	if s.write(s.pulse()) != nil {
		return
	}
	pulse := time.NewTicker(streamPulse)
	defer pulse.Stop()
	for {
		page := log.After(at)
		if text := s.format(page); text != "" && s.write(text) != nil || page.End {
			return
		}
		at = page.Next
		select {
		case <-page.More:
		case <-pulse.C:
			if s.write(s.pulse()) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// write writes text and sees that it goes.
func (s *stream) write(text string) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(streamWrite)) // a recorder of a test has none
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}

// format is a page as text.
func (s *stream) format(page news.Page) string {
	var b strings.Builder
	if page.Gap {
		missed, _ := json.Marshal(Gap{Missed: page.Missed})
		b.WriteString(s.form(Event{Type: EventGap, Time: time.Now(), Data: missed}))
	}
	for _, item := range page.Items {
		if wanted(s.types, item.Type) {
			b.WriteString(s.form(item))
		}
	}
	return b.String()
}

// wanted reports whether typ is among types; none stand for all.
func wanted(types []string, typ string) bool {
	return len(types) == 0 || slices.Contains(types, typ)
}

// newsForm is an item of the agent's news as a server-sent event.
func newsForm(item Event) string {
	text, err := json.Marshal(item)
	if err != nil {
		return "" // its data was JSON before
	}
	id := ""
	if item.ID != "" {
		id = "id: " + item.ID + "\n"
	}
	return fmt.Sprintf("%sevent: %s\ndata: %s\n\n", id, item.Type, text)
}
