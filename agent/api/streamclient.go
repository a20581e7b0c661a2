package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/coder/websocket"

	"kecho/agent/cloudevents"
)

// Stream is a connection on which events are published, one after the other.
// Its methods are called by one goroutine at a time.
type Stream struct {
	client *Client
	conn   *websocket.Conn
}

// Stream opens one to publish on a channel; ctx is for the opening alone. It is
// closed by Close.
func (c *Client) Stream(ctx context.Context, channel string) (*Stream, error) {
	conn, res, err := websocket.Dial(ctx, c.base+channelURL(channel)+"/stream?receive=false", &websocket.DialOptions{
		HTTPClient: c.http, Subprotocols: []string{subprotocol},
	})
	switch {
	case err == nil:
		return &Stream{client: c, conn: conn}, nil
	case res == nil:
		return nil, c.unanswered(ctx, err)
	}
	text, err := io.ReadAll(res.Body) // Dial keeps its beginning
	if err != nil {
		return nil, c.unanswered(ctx, err)
	}
	return nil, c.read(res, text, new(any))
}

// Publish publishes one event and returns what it is known by. An event that
// was refused is an *Error with the agent's code, and the stream goes on; after
// any other it has ended.
func (s *Stream) Publish(ctx context.Context, e cloudevents.Event) (PublishedEvent, error) {
	var out PublishedEvent
	text, err := json.Marshal(e)
	if err != nil {
		return out, &Error{Code: Usage, Detail: err.Error(), Err: err}
	}
	if err := s.conn.Write(ctx, websocket.MessageText, text); err != nil {
		return out, s.ended(ctx, err)
	}
	_, text, err = s.conn.Read(ctx)
	if err != nil {
		return out, s.ended(ctx, err)
	}
	var answer cloudevents.Event
	if err := json.Unmarshal(text, &answer); err != nil {
		return out, s.client.stranger(err.Error())
	}
	if answer.Text(cloudevents.Type) == EventRefused {
		var why Refusal
		if err := json.Unmarshal(answer.Data, &why); err != nil {
			return out, s.client.stranger(err.Error())
		}
		return out, &Error{Code: why.Code, Detail: why.Detail}
	}
	if err := json.Unmarshal(answer.Data, &out); err != nil {
		return out, s.client.stranger(err.Error())
	}
	return out, nil
}

// ended words why the connection is gone.
func (s *Stream) ended(ctx context.Context, err error) error {
	var closed websocket.CloseError
	if !errors.As(err, &closed) {
		return s.client.unanswered(ctx, err)
	}
	code := Failed
	switch closed.Code {
	case websocket.StatusGoingAway:
		code = NotReady
	case websocket.StatusMessageTooBig:
		code = TooLarge
	}
	return &Error{Code: code, Err: err, Detail: "the agent at " + s.client.addr + " closed the stream: " + closed.Reason}
}

// Close ends the stream. What was published stays so.
func (s *Stream) Close() error { return s.conn.Close(websocket.StatusNormalClosure, "") }
