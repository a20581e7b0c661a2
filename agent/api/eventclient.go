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
const maxEvent = 1<<20 + 64<<10

// Events calls each for what happens on the agent's node from now on, or after
// the event of that id if it is not "", until ctx is done, each returns an
// error, which it returns, or the agent ends, which is nil. Types are those
// wanted; none: all. A gap is an event too.
func (c *Client) Events(ctx context.Context, after string, types []string, each func(Event) error) error {
	query := url.Values{}
	if len(types) > 0 {
		query.Set("type", strings.Join(types, ","))
	}
	header := http.Header{"Accept": {sseType}}
	if after != "" {
		header.Set("Last-Event-ID", after)
	}
	body, err := c.follow(ctx, withQuery("/v1/events", query), header)
	if err != nil {
		return err
	}
	defer body.Close()
	return c.lines(ctx, body, func(line string) error {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			return nil // all else of the form
		}
		var event Event
		if err := json.Unmarshal([]byte(data), &event); err != nil {
			return c.stranger(err.Error())
		}
		return each(event)
	})
}

// withQuery is path with a query, if there is one.
func withQuery(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// follow opens a stream of the form that header accepts.
func (c *Client) follow(ctx context.Context, path string, header http.Header) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, &Error{Code: Usage, Detail: err.Error(), Err: err}
	}
	req.Header = header
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.unanswered(ctx, err)
	}
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); res.StatusCode == http.StatusOK && kind == header.Get("Accept") {
		return res.Body, nil
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxEvent))
	if err != nil {
		return nil, c.unanswered(ctx, err)
	}
	if err := c.read(res, text, new(any)); err != nil {
		return nil, err
	}
	return nil, c.stranger("no stream of " + header.Get("Accept"))
}

// lines calls each for each line of a stream, until its end.
func (c *Client) lines(ctx context.Context, body io.Reader, each func(string) error) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		if err := each(lines.Text()); err != nil {
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
