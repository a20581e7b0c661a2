package api

import (
	"context"
	"net/http"
	"net/url"
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
	var ch Channel
	err := c.do(ctx, http.MethodPut, channelURL(name), nil, &ch)
	return ch, err
}

// CloseChannel closes one.
func (c *Client) CloseChannel(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodDelete, channelURL(name), nil, nil)
}

func channelURL(name string) string { return channelsPath + "/" + url.PathEscape(name) }
