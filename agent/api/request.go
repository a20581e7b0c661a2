package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"kecho/agent/channels"
	"kecho/agent/cloudevents"
)

// ChannelAnswers is what a request on a channel has gathered.
type ChannelAnswers struct {
	// Items are CloudEvents, in the order in which they came.
	Items []json.RawMessage `json:"items"`
	Next  string            `json:"next"`
	RequestEnd
}

// RequestEnd says how a request went.
type RequestEnd struct {
	// Asked is how many nodes were asked and waited for: all that have the
	// channel open, this one when somebody follows it there.
	Asked int `json:"asked"`
	// End is why no more answers were waited for.
	End string `json:"end" enum:"all,count,gap,timeout"`
}

const (
	eventEnd   = "end" // of a request, as a server-sent event
	defaultAsk = 5 * time.Second
	maxAnswers = 8 << 20 // bytes of the answers in one list; a stream has any number
)

// RequestInput is a request, and when it has answers enough.
type RequestInput struct {
	PublishInput
	Replies int    `query:"replies" minimum:"0" maximum:"4096" doc:"how many answers are enough; 0: as many as come"`
	Gap     string `query:"gap" maxLength:"32" doc:"end it when after an answer no other has come for so long" example:"100ms"`
	Timeout string `query:"timeout" maxLength:"32" doc:"end it in any case: 5s unless given, 1m at most" example:"2s"`
	Accept  string `header:"Accept" doc:"text/event-stream and application/x-ndjson have the answers as they come"`
}

// times are the gap and the timeout.
func (in *RequestInput) times() (gap, timeout time.Duration, err error) {
	if gap, err = within("query.gap", in.Gap, 0); err != nil {
		return 0, 0, err
	}
	timeout, err = within("query.timeout", in.Timeout, defaultAsk)
	if err == nil && timeout == 0 {
		err = &Error{Code: Invalid, Detail: "query.timeout: want more than 0s"}
	}
	return gap, timeout, err
}

// within reads a duration of maxPoll at most; "" is what there is unless given.
func within(field, text string, unless time.Duration) (time.Duration, error) {
	if text == "" {
		return unless, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > maxPoll {
		return 0, &Error{Code: Invalid, Detail: fmt.Sprintf("%s: %.40q is not a duration from 0s to %v, such as 30s", field, text, maxPoll)}
	}
	return d, nil
}

func (e endpoints) addRequests(table *channels.Table) {
	body := &huma.RequestBody{Content: map[string]*huma.MediaType{cloudevents.Structured: {}, "*/*": {}}}
	type output struct{ Body func(huma.Context) }
	add(e, huma.Operation{
		Method: http.MethodPost, Path: channelsPath + "/{channel}/requests", OperationID: "request", Summary: "Ask whoever has a channel open, and gather the answers",
		RequestBody: body,
		Description: "The body is one CloudEvent, as for publishing. Who follows the channel sees it with the extension kechoasks, and answers " +
			"by publishing an event whose kechore is its kechoid. It ends when there are as many answers as were wanted (count), when after one no other " +
			"has come for so long (gap), when every node that was asked has answered or is gone (all), or in any case at its timeout; a client that goes ends it too. " +
			"As a stream, the last is a server-sent event of type end, or a line {\"end\":...}.",
		Responses: map[string]*huma.Response{"200": {Description: "The answers.", Content: map[string]*huma.MediaType{
			"application/json":  {Schema: e.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[ChannelAnswers](), true, "ChannelAnswers")},
			"text/event-stream": {}, ndjsonType: {},
		}}},
	}, func(ctx context.Context, in *RequestInput) (*output, error) {
		c, err := table.At(in.Channel)
		if err != nil {
			return nil, channelFailure(err)
		}
		events, err := cloudevents.Decode(in.header, in.RawBody)
		if err != nil {
			return nil, eventFailure("body", err)
		}
		if len(events) != 1 {
			return nil, &Error{Code: Invalid, Detail: fmt.Sprintf("body: %d events: a request is one", len(events))}
		}
		gap, timeout, err := in.times()
		if err != nil {
			return nil, err
		}
		request := channels.Request{Event: events[0], Replies: in.Replies, Gap: gap, Timeout: timeout}
		return &output{func(hc huma.Context) {
			_, w := humago.Unwrap(hc)
			g := gathered{w: w, control: http.NewResponseController(w), kind: streamOf(in.Accept)}
			g.run(ctx, func(ctx context.Context) (channels.Asked, error) {
				request.Each = g.each
				return table.Ask(ctx, c, request)
			}, timeout)
		}}, nil
	})
	body.Required = false // an event may have no data
}

// gathered is the answers to one request on their way to who asked.
type gathered struct {
	w       http.ResponseWriter
	control *http.ResponseController
	kind    string // the content type
	items   []json.RawMessage
	size    int // of them
	begun   bool
	failed  context.CancelFunc // ends it when the client does not take what is written
}

// run asks, and writes what comes.
func (g *gathered) run(ctx context.Context, ask func(context.Context) (channels.Asked, error), timeout time.Duration) {
	ctx, g.failed = context.WithCancel(ctx)
	defer g.failed()
	_ = g.control.SetWriteDeadline(time.Now().Add(timeout + streamWrite)) // a recorder of a test has none
	asked, err := ask(ctx)
	end := RequestEnd{Asked: asked.Sinks, End: asked.End}
	switch {
	case g.size > maxAnswers:
		writeProblem(g.w, TooLarge, fmt.Sprintf("the answers have more than %d bytes together: have them as they come, with Accept: %s, or ask for fewer with replies", maxAnswers, ndjsonType))
	case err != nil && g.begun:
		return // it is cut: who asked is gone, or the channel is
	case err != nil:
		var why *Error
		errors.As(channelFailure(err), &why)
		writeProblem(g.w, why.Code, why.Detail)
	case g.kind == jsonType:
		g.w.Header().Set("Content-Type", jsonType)
		if g.items == nil {
			g.items = []json.RawMessage{}
		}
		writeJSON(g.w, ChannelAnswers{Items: g.items, RequestEnd: end})
	default:
		text, _ := json.Marshal(end)
		g.write(map[string]string{
			sseType: "event: " + eventEnd + "\ndata: " + string(text) + "\n\n", ndjsonType: `{"end":` + string(text) + "}\n",
		}[g.kind])
	}
}

// each takes one answer.
func (g *gathered) each(e cloudevents.Event) {
	text, err := json.Marshal(e)
	if err != nil {
		return // its attributes were read from JSON, or are made by package channels
	}
	switch g.kind {
	case jsonType:
		if g.size += len(text); g.size > maxAnswers {
			g.failed()
			return
		}
		g.items = append(g.items, text)
	case sseType:
		g.write("event: " + oneLine(e.Text(cloudevents.Type)) + "\ndata: " + string(text) + "\n\n")
	default:
		g.write(string(text) + "\n")
	}
}

// write writes text, after the head of the answer.
func (g *gathered) write(text string) {
	if !g.begun {
		g.begun = true
		g.w.Header().Set("Content-Type", g.kind)
		g.w.WriteHeader(http.StatusOK)
	}
	_ = g.control.SetWriteDeadline(time.Now().Add(streamWrite))
	if _, err := io.WriteString(g.w, text); err != nil || g.control.Flush() != nil {
		g.failed()
	}
}
