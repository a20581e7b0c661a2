package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
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
	// Idle is how long after its last reader events are kept, such as "30s"; ""
	// stands for always.
	Idle string `json:"idle"`
	// Types are those of the events that are kept; none stands for all.
	Types []string `json:"types"`
	// Readers is how many follow it here; one that polls only while it waits.
	Readers int `json:"readers"`
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
	// Dropped is how many were not delivered, by the reason; unasked are answers
	// to a request that was over, and too_fast were refused when they were
	// published here.
	Dropped map[string]uint64 `json:"dropped"`
	Queued  int               `json:"queued" doc:"events that wait for handlers on this node"`
	// QueuedBytes are theirs.
	QueuedBytes int `json:"queued_bytes"`
	// WaitedMean and WaitedMax are how long events waited for handlers.
	WaitedMean float64 `json:"waited_mean_ms"`
	WaitedMax  float64 `json:"waited_max_ms"`
	// Subscriptions are those on this node; one is the agent's own for the
	// channel's readers. Live are not suspended.
	Subscriptions int `json:"subscriptions"`
	Live          int `json:"live"`
	// In and Out are what all filters cost that the channel had, the agent's own
	// too; /v1/filters has what one of an operator's did.
	In  FilterCost `json:"in_filters"`
	Out FilterCost `json:"out_filters"`
}

func channelOf(info channels.Info) Channel {
	s := info.Stats
	c := Channel{Name: info.Name, Own: info.Own, Last: info.Last, Readers: info.Readers, Types: append([]string{}, info.Types...), Sinks: []ChannelSink{}, Stats: ChannelStats{
		Submitted: s.Submitted, Sent: s.Sent, Received: s.Received, Delivered: s.Delivered, BytesOut: s.BytesOut, BytesIn: s.BytesIn,
		Dropped: map[string]uint64{
			"no_sink": s.NoSink, "unsent": s.Unsent, "late": s.Late, "filtered": s.Filtered,
			"overrun": s.Overrun, "conflated": s.Conflated, "suspended": s.Suspended,
			"repeated": s.Repeated, "returned": s.Returned, "unasked": s.Unasked,
			"too_fast": info.Refused,
		},
		Queued: s.Queued, QueuedBytes: s.QueuedBytes, Subscriptions: s.Subscriptions, Live: s.Live,
		WaitedMean: milliseconds(s.Waited.Mean()), WaitedMax: milliseconds(s.Waited.Max),
		In:  FilterCost{Runs: s.In.Runs, Mean: milliseconds(s.In.Sampled.Mean()), Max: milliseconds(s.In.Sampled.Max)},
		Out: FilterCost{Runs: s.Out.Runs, Mean: milliseconds(s.Out.Sampled.Mean()), Max: milliseconds(s.Out.Sampled.Max)},
	}}
	if info.Idle > 0 {
		c.Idle = info.Idle.String()
	}
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

type openInput struct {
	ChannelPath
	Idle  string   `query:"idle" maxLength:"32" doc:"how long after the last reader events are kept: 1s to 1h; always unless given" example:"30s"`
	Types []string `query:"type" maxItems:"16" doc:"only events of these types are kept, and brought from other clusters, with commas between; all unless given"`
}

type opened struct {
	Status int
	Body   Channel
}

// open opens the channel, and reports whether it was not open.
func (in *openInput) open(table *channels.Table) (made bool, err error) {
	if in.Idle == "" && in.Types == nil {
		_, made, err = table.Open(in.Channel)
		return made, channelFailure(err)
	}
	k := channels.Keep{Types: in.Types}
	if in.Idle != "" {
		if k.Idle, err = time.ParseDuration(in.Idle); err != nil {
			return false, &Error{Code: Invalid, Detail: fmt.Sprintf("query.idle: %.40q is not a duration, such as 30s", in.Idle)}
		}
		if k.Idle == 0 { // which would stand for always
			return false, channelFailure(fmt.Errorf("query.idle: %w", channels.ErrIdleTime))
		}
	}
	_, made, err = table.OpenWith(in.Channel, k)
	return made, channelFailure(err)
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
	add(e, huma.Operation{
		Method: http.MethodPut, Path: channelsPath + "/{channel}", OperationID: "open-channel", Summary: "Open a channel on this node",
		Description: "From now on its events are kept here; with idle, while somebody reads them and for that long after: then the other nodes send nothing until somebody does again; with type, of these types only. 201 when it was not open, else 200 and nothing is changed. It has no body.",
		Responses: map[string]*huma.Response{"201": {Description: "It was opened.", Content: map[string]*huma.MediaType{
			jsonType: {Schema: e.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Channel](), true, "Channel")},
		}}},
	}, func(ctx context.Context, in *openInput) (*opened, error) {
		made, err := in.open(table)
		if err != nil {
			return nil, err
		}
		out, err := show(ctx, &in.ChannelPath)
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
	e.addRequests(table)
	e.addFollow(table)
	e.addWebsocket(table)
}

// channelFailure is err of package channels with its code; nil for nil.
func channelFailure(err error) error {
	code := Failed
	switch {
	case err == nil:
		return nil
	case errors.Is(err, channels.ErrUnknown):
		code = NotFound
	case errors.Is(err, channels.ErrGone), errors.Is(err, channels.ErrKeep), errors.Is(err, channels.ErrOwn), errors.Is(err, channels.ErrHeld):
		code = Refused
	case errors.Is(err, channels.ErrName), errors.Is(err, channels.ErrIdleTime), errors.Is(err, channels.ErrTypes):
		code = Invalid
	case errors.Is(err, channels.ErrMany):
		code = TooMany
	case errors.Is(err, channels.ErrReaders):
		code = TryLater
	case errors.Is(err, channels.ErrFast), errors.Is(err, channels.ErrFull):
		code = TooFast
	case errors.Is(err, channels.ErrLarge):
		code = TooLarge
	case errors.Is(err, channels.ErrEvent):
		code = Invalid
	case errors.Is(err, channels.ErrClosed):
		code = NotReady
	case errors.Is(err, context.DeadlineExceeded): // the event's own
		code = Timeout
	}
	detail := err.Error()
	if code == NotFound {
		detail += "; PUT " + channelsPath + "/{channel} or `kecho channel open` opens one, " + channelsPath + " has all"
	}
	return &Error{Code: code, Detail: detail, Err: err}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
