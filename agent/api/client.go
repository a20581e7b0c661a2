package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// maxAnswer is how much of an answer a client reads: some 20,000 members.
const maxAnswer = 8 << 20

// Client asks one agent.
type Client struct {
	addr string // as it was given, for messages
	base string
	http *http.Client
}

// Dial makes the connections of a Client, as net.Dialer.DialContext does.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// New makes a client of the agent at addr: http://host:port, host:port, or
// unix:///path of a socket. It does not connect; it does so over the system's
// network.
func New(addr string) (*Client, error) { return NewOver(new(net.Dialer).DialContext, addr) }

// NewOver is New over another network.
func NewOver(dial Dial, addr string) (*Client, error) {
	c := &Client{addr: addr}
	if path, ok := strings.CutPrefix(addr, "unix://"); ok {
		if !strings.HasPrefix(path, "/") {
			return nil, badAddress(addr)
		}
		c.base = "http://localhost"
		over := dial
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return over(ctx, "unix", path)
		}
	} else {
		if !strings.Contains(addr, "://") {
			addr = "http://" + addr
		}
		u, err := url.Parse(addr)
		if err != nil || u.Scheme != "http" || u.Port() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return nil, badAddress(c.addr)
		}
		c.base = "http://" + u.Host
	}
	// A connection a request: a command asks once, and nothing is left open.
	c.http = &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	return c, nil
}

func badAddress(addr string) error {
	return &Error{Code: Usage, Detail: fmt.Sprintf("the agent's address %.200q is not one: want http://host:port or unix:///path", addr)}
}

// Node asks the agent about itself.
func (c *Client) Node(ctx context.Context) (Node, error) {
	var node Node
	err := c.get(ctx, "/v1/node", &node)
	return node, err
}

// Members asks for the nodes of the cluster, the agent itself included.
func (c *Client) Members(ctx context.Context) ([]Member, error) {
	var list List[Member]
	err := c.get(ctx, "/v1/members", &list)
	return list.Items, err
}

// Ready asks whether the agent serves. An agent that answers "no" is no
// error: see Readiness.Ready.
func (c *Client) Ready(ctx context.Context) (Readiness, error) {
	var r Readiness
	err := c.get(ctx, "/readyz", &r)
	return r, err
}

// Gauges asks for all gauges and the thresholds on them.
func (c *Client) Gauges(ctx context.Context) ([]Gauge, error) {
	var list List[Gauge]
	err := c.get(ctx, "/v1/gauges", &list)
	return list.Items, err
}

// SetGauge sets one and returns it as it is then.
func (c *Client) SetGauge(ctx context.Context, name string, v GaugeValue) (Gauge, error) {
	var g Gauge
	err := c.do(ctx, http.MethodPut, gaugeURL(name), v, &g)
	return g, err
}

// Watch sets a threshold on the gauge that its condition names.
func (c *Client) Watch(ctx context.Context, n NewThreshold) (Threshold, error) {
	var t Threshold
	gauge, err := n.Gauge()
	if err != nil {
		return t, err
	}
	err = c.do(ctx, http.MethodPost, gaugeURL(gauge)+"/thresholds", n, &t)
	return t, err
}

// Unwatch takes a threshold away.
func (c *Client) Unwatch(ctx context.Context, gauge, id string) error {
	return c.do(ctx, http.MethodDelete, gaugeURL(gauge)+"/thresholds/"+url.PathEscape(id), nil, nil)
}

func gaugeURL(name string) string { return "/v1/gauges/" + url.PathEscape(name) }

// get reads the JSON at path into answer. Its errors are of type *Error.
func (c *Client) get(ctx context.Context, path string, answer any) error {
	return c.do(ctx, http.MethodGet, path, nil, answer)
}

// do sends body as JSON, unless it is nil, and reads JSON into answer, unless
// there is none. Its errors are of type *Error.
func (c *Client) do(ctx context.Context, method, path string, body, answer any) error {
	return c.send(ctx, call{method: method, path: path, body: body, answer: answer})
}

// call is one request and what its answer is read into.
type call struct {
	method, path string
	header       http.Header
	body, answer any // nil: none
}

func (c *Client) send(ctx context.Context, r call) error {
	var sent io.Reader = http.NoBody
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return &Error{Code: Usage, Detail: err.Error(), Err: err}
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.base+r.path, sent)
	if err != nil {
		return &Error{Code: Usage, Detail: err.Error(), Err: err}
	}
	req.Header.Set("Accept", "application/json")
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	maps.Copy(req.Header, r.header)
	res, err := c.http.Do(req)
	if err != nil {
		return c.unanswered(ctx, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return c.unanswered(ctx, err)
	}
	if len(text) > maxAnswer {
		return c.stranger(fmt.Sprintf("an answer of more than %d bytes", maxAnswer))
	}
	if res.StatusCode == http.StatusNoContent {
		return nil
	}
	return c.read(res, text, r.answer)
}

// read reads an answer, which may be a problem.
func (c *Client) read(res *http.Response, text []byte, answer any) error {
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch kind {
	case "application/json":
		if err := json.Unmarshal(text, answer); err != nil {
			return c.stranger(err.Error())
		}
		return nil
	case problemType:
		var p Problem
		if err := json.Unmarshal(text, &p); err != nil || p.Code == "" {
			return c.stranger("a problem without a code")
		}
		return &Error{Code: p.Code, Reasons: p.Reasons, Detail: fmt.Sprintf("the agent at %s: %.1000s", c.addr, p.Detail)}
	}
	return c.stranger(fmt.Sprintf("%s with %.80q", res.Status, kind))
}

// unanswered words why there was no answer, and what to do about it.
func (c *Client) unanswered(ctx context.Context, err error) error {
	switch cause := ctx.Err(); {
	case errors.Is(cause, context.DeadlineExceeded):
		return &Error{Code: Timeout, Err: cause, Detail: fmt.Sprintf("the agent at %s did not answer in time", c.addr)}
	case cause != nil:
		return &Error{Code: Failed, Err: cause, Detail: "interrupted"}
	}
	var lost *net.OpError
	reason := err
	if errors.As(err, &lost) {
		reason = lost.Err // "connect: connection refused", without the address again
	}
	return &Error{Code: Unreachable, Err: err, Detail: fmt.Sprintf("no agent answers at %s (%v): is it running? --api or KECHO_API says where it is", c.addr, reason)}
}

func (c *Client) stranger(what string) error {
	return &Error{Code: Unreachable, Detail: fmt.Sprintf("what answers at %s is not a kecho agent's API: %s; --api or KECHO_API says where it is", c.addr, what)}
}
