package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"kecho/agent/channels"
	"kecho/agent/cloudevents"
)

// Channels asks for the channels that are open on the agent's node.
func (c *Client) Channels(ctx context.Context) ([]Channel, error) {
	var list List[Channel]
	err := c.get(ctx, channelsPath, &list)
	return list.Items, err
}

// Channel asks for one of them.
func (c *Client) Channel(ctx context.Context, name string) (Channel, error) {
	var ch Channel
	err := c.get(ctx, channelURL(name), &ch)
	return ch, err
}

// OpenChannel opens one, if it is not open, and returns it as it is then.
func (c *Client) OpenChannel(ctx context.Context, name string) (Channel, error) {
	return c.OpenChannelWith(ctx, name, Keep{})
}

// Keep says which events of a channel come to the agent's node, and for how long.
type Keep struct {
	Idle  time.Duration // after the last reader; zero: always
	Types []string      // none: all
}

// OpenChannelWith is OpenChannel of one that keeps so.
func (c *Client) OpenChannelWith(ctx context.Context, name string, k Keep) (Channel, error) {
	query := url.Values{}
	if k.Idle != 0 {
		query.Set("idle", k.Idle.String())
	}
	if len(k.Types) > 0 {
		query.Set("type", strings.Join(k.Types, ","))
	}
	var ch Channel
	err := c.do(ctx, http.MethodPut, withQuery(channelURL(name), query), nil, &ch)
	return ch, err
}

// CloseChannel closes one.
func (c *Client) CloseChannel(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodDelete, channelURL(name), nil, nil)
}

func channelURL(name string) string { return channelsPath + "/" + url.PathEscape(name) }

// Publish publishes events on a channel, all or none: at most
// cloudevents.MaxBatch.
func (c *Client) Publish(ctx context.Context, channel string, events []cloudevents.Event) (Published, error) {
	var out Published
	err := c.send(ctx, call{
		method: http.MethodPost, path: channelURL(channel) + "/events", header: http.Header{"Content-Type": {cloudevents.Batch}},
		body: events, answer: &out,
	})
	return out, err
}

// ChannelItem is one thing that Follow hands over: an event, or a gap.
type ChannelItem struct {
	// Gap says that events before this are not there any more; nil: this is an
	// event.
	Gap   *Gap
	Event cloudevents.Event
	// Cursor is where the event stands, to go on behind it.
	Cursor string
}

// Follow calls each for the events of a channel from now on, or behind
// s.After, until ctx is done, each returns an error, which it returns, or the
// channel is closed or the agent ends, which is nil.
func (c *Client) Follow(ctx context.Context, channel string, s Selection, each func(ChannelItem) error) error {
	query := url.Values{}
	for name, value := range map[string]string{"type": strings.Join(s.Types, ","), "source": strings.Join(s.Sources, ","), "after": s.After} {
		if value != "" {
			query.Set(name, value)
		}
	}
	body, err := c.follow(ctx, withQuery(channelURL(channel)+"/events", query), http.Header{"Accept": {ndjsonType}})
	if err != nil {
		return err
	}
	defer body.Close()
	return c.lines(ctx, body, func(line string) error {
		if line == "" {
			return nil // it shows that the stream lives
		}
		var gap struct{ Gap *Gap }
		if json.Unmarshal([]byte(line), &gap) == nil && gap.Gap != nil {
			return each(ChannelItem{Gap: gap.Gap})
		}
		var e cloudevents.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return c.stranger(err.Error())
		}
		return each(ChannelItem{Event: e, Cursor: e.Text(channels.ExtCursor)})
	})
}

// Gather says when a request has answers enough. What is zero is as the API has
// it.
type Gather struct {
	Replies      int
	Gap, Timeout time.Duration
}

// Request asks whoever has a channel open, and returns the answers.
func (c *Client) Request(ctx context.Context, channel string, e cloudevents.Event, g Gather) (ChannelAnswers, error) {
	query := url.Values{}
	if g.Replies > 0 {
		query.Set("replies", strconv.Itoa(g.Replies))
	}
	for name, d := range map[string]time.Duration{"gap": g.Gap, "timeout": g.Timeout} {
		if d > 0 {
			query.Set(name, d.String())
		}
	}
	var out ChannelAnswers
	err := c.send(ctx, call{
		method: http.MethodPost, path: withQuery(channelURL(channel)+"/requests", query),
		header: http.Header{"Content-Type": {cloudevents.Structured}}, body: e, answer: &out,
	})
	return out, err
}
