package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"kecho/agent/channels"
	"kecho/agent/cloudevents"
)

// Published is what became of the events that a request brought.
type Published struct {
	// Items are the events, in the order in which they came.
	Items []PublishedEvent `json:"items"`
	// Sinks is how many other nodes have the channel open.
	Sinks int `json:"sinks"`
}

// PublishedEvent is one event that was published.
type PublishedEvent struct {
	// ID is the CloudEvent's, KechoID what the cluster knows it by.
	ID      string `json:"id"`
	KechoID string `json:"kechoid"`
}

// PublishInput is what is published: huma hands over the fields and the bytes.
type PublishInput struct {
	ChannelPath
	RawBody []byte `contentType:"application/cloudevents+json"`
	header  http.Header
}

// Resolve keeps the header fields, in which attributes may be.
func (in *PublishInput) Resolve(c huma.Context) []error {
	in.header = make(http.Header)
	c.EachHeader(in.header.Add)
	return nil
}

var _ huma.Resolver = (*PublishInput)(nil)

func (e endpoints) addPublish(table *channels.Table) {
	// Binary mode has any content.
	body := &huma.RequestBody{Content: map[string]*huma.MediaType{cloudevents.Structured: {}, cloudevents.Batch: {}, "*/*": {}}}
	add(e, huma.Operation{
		Method: http.MethodPost, Path: channelsPath + "/{channel}/events", OperationID: "publish", Summary: "Publish one event, or a batch",
		DefaultStatus: http.StatusAccepted,
		RequestBody:   body,
		Description: "CloudEvents 1.0 in binary, structured or batch mode. A batch of which one event is not sound is refused whole; where nobody has room any more, those before the event that is named were taken. " +
			"The extensions kechopriority (urgent, bulk), kechottl (such as 1.5s) and kechore (the kechoid of the event that this one answers) are obeyed.",
	}, func(ctx context.Context, in *PublishInput) (*answer[Published], error) {
		c, err := table.At(in.Channel)
		if err != nil {
			return nil, channelFailure(err)
		}
		events, err := cloudevents.Decode(in.header, in.RawBody)
		if err != nil {
			return nil, eventFailure("body", err)
		}
		out, err := publish(ctx, c, events)
		return &answer[Published]{out}, err
	})
	body.Required = false // huma has said that it is: an event may have no data
}

// inTime is ctx for publishTime: bulk waits for room until then, and finds that there
// is none.
func inTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, publishTime, channels.ErrFull)
}

// publish publishes all of events, when all are sound.
func publish(ctx context.Context, c *channels.Channel, events []cloudevents.Event) (Published, error) {
	out := Published{Items: []PublishedEvent{}, Sinks: c.Sinks()}
	ctx, cancel := inTime(ctx)
	defer cancel()
	ids, err := c.Publish(ctx, events)
	if err != nil {
		return out, channelFailure(err)
	}
	for i, e := range events {
		out.Items = append(out.Items, PublishedEvent{ID: e.Text(cloudevents.ID), KechoID: ids[i].String()})
	}
	return out, nil
}

// eventFailure is why what stands there is no CloudEvents.
func eventFailure(where string, err error) error {
	code := Invalid
	switch {
	case errors.Is(err, cloudevents.ErrFormat), errors.Is(err, cloudevents.ErrEncoding):
		code = NotEvent
	case errors.Is(err, cloudevents.ErrBatch):
		code = TooLarge
	}
	return &Error{Code: code, Detail: fmt.Sprintf("%s: %.500s", where, strings.ToValidUTF8(err.Error(), "?")), Err: err}
}
