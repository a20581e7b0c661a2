package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"kecho/agent/channels"
)

// channelsPath is where the channels are.
const channelsPath = "/v1/channels"

// Channel is an event channel as one agent has it open.
type Channel struct {
	Name string `json:"name"`
	// Own says that it is the agent's: it is shown, and no more.
	Own bool `json:"own"`
	// Last is the cursor of the newest event, from which a reader can go on;
	// "" of the agent's own.
	Last string `json:"last"`
	// Sinks are the other nodes that have it open.
	Sinks []ChannelSink `json:"sinks"`
	Stats ChannelStats  `json:"stats"`
}

// ChannelSink is a node that gets a channel's events.
type ChannelSink struct {
	ID string `json:"id"`
	// Attributes are what the node last described itself with: bools, numbers
	// and strings.
	Attributes map[string]any `json:"attributes"`
}

// ChannelStats is what happened on a channel since the agent opened it.
type ChannelStats struct {
	Submitted uint64 `json:"submitted" doc:"events submitted on this node"`
	Sent      uint64 `json:"sent" doc:"frames that links took, one for each node that gets an event"`
	Received  uint64 `json:"received" doc:"events that came from other nodes"`
	Delivered uint64 `json:"delivered" doc:"calls of handlers on this node; the agent's own for a channel's readers counts as one"`
	BytesOut  uint64 `json:"bytes_out"`
	BytesIn   uint64 `json:"bytes_in"`
	// Dropped is how many were not delivered, by the reason.
	Dropped map[string]uint64 `json:"dropped"`
	Queued  int               `json:"queued" doc:"events that wait for handlers on this node"`
	// QueuedBytes are theirs.
	QueuedBytes int `json:"queued_bytes"`
	// WaitedMean and WaitedMax are how long events waited for handlers.
	WaitedMean float64 `json:"waited_mean_ms"`
	WaitedMax  float64 `json:"waited_max_ms"`
	// Subscriptions are those on this node; one is the agent's own for the
	// channel's readers.
	Subscriptions int `json:"subscriptions"`
}

func channelOf(info channels.Info) Channel {
	s := info.Stats
	c := Channel{Name: info.Name, Own: info.Own, Last: info.Last, Sinks: []ChannelSink{}, Stats: ChannelStats{
		Submitted: s.Submitted, Sent: s.Sent, Received: s.Received, Delivered: s.Delivered, BytesOut: s.BytesOut, BytesIn: s.BytesIn,
		Dropped: map[string]uint64{
			"no_sink": s.NoSink, "unsent": s.Unsent, "late": s.Late, "filtered": s.Filtered,
			"overrun": s.Overrun, "conflated": s.Conflated, "suspended": s.Suspended,
		},
		Queued: s.Queued, QueuedBytes: s.QueuedBytes, Subscriptions: s.Subscriptions,
		WaitedMean: milliseconds(s.Waited.Mean()), WaitedMax: milliseconds(s.Waited.Max),
	}}
	for _, sink := range info.Sinks {
		shown := ChannelSink{ID: sink.Node.String(), Attributes: make(map[string]any, len(sink.Attrs))}
		for _, a := range sink.Attrs {
			shown.Attributes[a.Name] = a.Value()
		}
		c.Sinks = append(c.Sinks, shown)
	}
	return c
}

// ChannelPath is where one channel is, for the inputs of endpoints.
type ChannelPath struct {
	Channel string `path:"channel" maxLength:"64" doc:"its name: letters, digits, dots, dashes and underscores"`
}

func (e endpoints) addChannels(table *channels.Table) {
	add(e, huma.Operation{
		Method: http.MethodGet, Path: channelsPath, OperationID: "channels", Summary: "The channels that are open on this node, the agent's own too",
	}, func(context.Context, *nothing) (*answer[List[Channel]], error) {
		var all []Channel
		for _, info := range table.List() {
			all = append(all, channelOf(info))
		}
		return listOf(all), nil
	})
	show := func(_ context.Context, in *ChannelPath) (*answer[Channel], error) {
		info, err := table.Info(in.Channel)
		return &answer[Channel]{channelOf(info)}, channelFailure(err)
	}
	add(e, huma.Operation{
		Method: http.MethodGet, Path: channelsPath + "/{channel}", OperationID: "channel", Summary: "One channel: what happened on it, and who gets its events",
	}, show)
	type opened struct {
		Status int
		Body   Channel
	}
	add(e, huma.Operation{
		Method: http.MethodPut, Path: channelsPath + "/{channel}", OperationID: "open-channel", Summary: "Open a channel on this node",
		Description: "From now on its events are kept here. 201 when it was not open, else 200 and nothing is changed. It has no body.",
		Responses:   map[string]*huma.Response{"201": {Description: "It was opened."}},
	}, func(ctx context.Context, in *ChannelPath) (*opened, error) {
		_, made, err := table.Open(in.Channel)
		if err != nil {
			return nil, channelFailure(err)
		}
		out, err := show(ctx, in)
		if err != nil {
			return nil, err
		}
		status := http.StatusOK
		if made {
			status = http.StatusCreated
		}
		return &opened{status, out.Body}, nil
	})
	add(e, huma.Operation{
		Method: http.MethodDelete, Path: channelsPath + "/{channel}", OperationID: "close-channel", Summary: "Close a channel on this node, and end its readers",
	}, func(_ context.Context, in *ChannelPath) (*nothing, error) {
		return nil, channelFailure(table.Close(in.Channel))
	})
	e.addPublish(table)
	e.addFollow(table)
}

// channelFailure is err of package channels with its code; nil for nil.
func channelFailure(err error) error {
	code := Failed
	switch {
	case err == nil:
		return nil
	case errors.Is(err, channels.ErrUnknown):
		code = NotFound
	case errors.Is(err, channels.ErrOwn), errors.Is(err, channels.ErrHeld):
		code = Refused
	case errors.Is(err, channels.ErrName):
		code = Invalid
	case errors.Is(err, channels.ErrMany):
		code = TooMany
	case errors.Is(err, channels.ErrFast), errors.Is(err, channels.ErrFull):
		code = TooFast
	case errors.Is(err, channels.ErrLarge):
		code = TooLarge
	case errors.Is(err, channels.ErrEvent):
		code = Invalid
	case errors.Is(err, channels.ErrClosed):
		code = NotReady
	}
	detail := err.Error()
	if code == NotFound {
		detail += "; PUT " + channelsPath + "/{channel} opens one, /v1/channels has all"
	}
	return &Error{Code: code, Detail: detail, Err: err}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
