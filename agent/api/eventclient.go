package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// maxEvent is how much of one event a client reads.
const maxEvent = 64 << 10

// Events calls each for what happens on the agent's node from now on, or after
// the event of that id if it is not "", until ctx is done, each returns an
// error, which it returns, or the agent ends, which is nil. Types are those
// wanted; none: all. A gap is an event too.
func (c *Client) Events(ctx context.Context, after string, types []string, each func(Event) error) error {
	path := "/v1/events"
	if len(types) > 0 {
		path += "?type=" + url.QueryEscape(strings.Join(types, ","))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return &Error{Code: Usage, Detail: err.Error(), Err: err}
	}
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return c.unanswered(ctx, err)
	}
	defer res.Body.Close()
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); kind != "text/event-stream" {
		text, err := io.ReadAll(io.LimitReader(res.Body, maxEvent))
		if err != nil {
			return c.unanswered(ctx, err)
		}
		return c.read(res, text, new(any))
	}
	return c.follow(ctx, res.Body, each)
}

// follow reads the events' data; all else of the form is left out.
func (c *Client) follow(ctx context.Context, body io.Reader, each func(Event) error) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var event Event
		if err := json.Unmarshal([]byte(data), &event); err != nil {
			return c.stranger(err.Error())
		}
		if err := each(event); err != nil {
			return err
		}
	}
	switch err := lines.Err(); {
	case err == nil:
		return nil
	case errors.Is(err, bufio.ErrTooLong):
		return c.stranger(fmt.Sprintf("an event of more than %d bytes", maxEvent))
	default:
		return c.unanswered(ctx, err)
	}
}
