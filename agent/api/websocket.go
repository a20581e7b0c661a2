package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"kecho/agent/channels"
	"kecho/agent/cloudevents"
	"kecho/agent/news"
)

// The types of the events that tell a websocket of itself. They have no
// kechocursor, which a channel's events have.
const (
	EventPublished = "kecho.published" // PublishedEvent: what was sent last was published
	EventRefused   = "kecho.refused"   // Refusal: it was not
	EventMissed    = "kecho.gap"       // Gap: events that came are not there any more
)

// Refusal is why an event that a websocket sent was not published.
type Refusal struct {
	ID     string `json:"id"` // the event's; "" when it could not be read
	Code   Code   `json:"code"`
	Detail string `json:"detail"`
}

const (
	subprotocol = "cloudevents.json" // CloudEvents' WebSocket binding, 2.1
	pongTime    = 10 * time.Second
	closeTime   = time.Second
	publishTime = 5 * time.Second // in which the channel takes an event
)

// StreamInput is what a websocket is opened with.
type StreamInput struct {
	ChannelPath
	Selection
	Receive   bool     `query:"receive" default:"true" doc:"false: this socket only publishes"`
	Protocols []string `header:"Sec-WebSocket-Protocol" doc:"cloudevents.json, or none"`
}

func (e endpoints) addWebsocket(table *channels.Table) {
	type output struct{ Body func(huma.Context) }
	var tellings atomic.Uint64
	add(e, huma.Operation{
		Method: http.MethodGet, Path: channelsPath + "/{channel}/stream", OperationID: "stream", Summary: "Publish and read on one websocket",
		DefaultStatus: http.StatusSwitchingProtocols,
		Description: "Each message is a CloudEvent as JSON, both ways. What is sent is answered, in its order, by an event of type " +
			EventPublished + " or " + EventRefused + ", and a gap is told by one of type " + EventMissed + "; these have no kechocursor. " +
			"It is closed with 1001 when the channel closes or the agent stops, with 1003 after a message that is no text and with 1009 after one of more than 64 KiB.",
		Responses: map[string]*huma.Response{"101": {Description: "A websocket, in the subprotocol cloudevents.json."}},
	}, func(ctx context.Context, in *StreamInput) (*output, error) {
		c, err := table.At(in.Channel)
		if err != nil {
			return nil, channelFailure(err)
		}
		if len(in.Protocols) > 0 && !slices.ContainsFunc(in.Protocols, func(p string) bool { return strings.TrimSpace(p) == subprotocol }) {
			return nil, &Error{Code: Usage, Detail: fmt.Sprintf("header.Sec-WebSocket-Protocol: %.80q: want %s", in.Protocols, subprotocol)}
		}
		reads := c
		if !in.Receive {
			reads = nil
		}
		ctx, leave, err := table.Enter(ctx, reads)
		if err != nil {
			return nil, channelFailure(err)
		}
		log := c.Log()
		at := log.Now()
		if in.After != "" {
			if at, err = log.Behind(in.After); err != nil {
				leave()
				return nil, &Error{Code: Invalid, Detail: "query.after: " + err.Error()}
			}
		}
		return &output{func(hc huma.Context) {
			defer leave()
			r, w := humago.Unwrap(hc)
			// guard has looked at where it comes from.
			answer := refusals{ResponseWriter: w}
			conn, err := websocket.Accept(&answer, r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}, InsecureSkipVerify: true})
			if err != nil {
				answer.write()
				return
			}
			s := socket{conn: conn, channel: c, log: log, in: in, tellings: &tellings}
			s.run(ctx, at)
		}}, nil
	})
}

// refusals makes problems of what Accept refuses a request with.
type refusals struct {
	http.ResponseWriter
	status int // of a refusal; 0: none
	why    []byte
}

// WriteHeader keeps the status of a refusal back.
func (f *refusals) WriteHeader(status int) {
	if status == http.StatusSwitchingProtocols {
		f.ResponseWriter.WriteHeader(status)
		return
	}
	f.status = status
}

func (f *refusals) Write(text []byte) (int, error) {
	f.why = append(f.why, text...)
	return len(text), nil
}

// Unwrap has Accept find who can hijack.
func (f *refusals) Unwrap() http.ResponseWriter { return f.ResponseWriter }

// write answers with the refusal.
func (f *refusals) write() {
	if f.status == 0 {
		return // the connection broke
	}
	p := newProblem(Usage, strings.TrimSpace(string(f.why)))
	p.Status, p.Title = f.status, http.StatusText(f.status)
	f.Header().Set("Content-Type", problemType)
	f.ResponseWriter.WriteHeader(f.status)
	writeJSON(f.ResponseWriter, p)
}

// socket is one websocket.
type socket struct {
	conn     *websocket.Conn
	channel  *channels.Channel
	log      *news.Log
	in       *StreamInput
	tellings *atomic.Uint64 // of all sockets: their ids
}

// run serves the socket until either end closes it, or ctx is done.
func (s *socket) run(ctx context.Context, at news.Position) {
	defer s.conn.CloseNow()
	ctx, cut := context.WithCancel(ctx)
	defer cut()
	sent := make(chan struct{}) // closed when the other end sends no more
	var others sync.WaitGroup
	others.Go(func() {
		defer close(sent)
		s.receive(ctx)
	})
	others.Go(func() {
		defer cut()
		s.pulse(ctx)
	})
	if s.follow(ctx, at, sent) {
		// Who does not answer the close is cut off.
		late := time.AfterFunc(closeTime, cut)
		s.conn.Close(websocket.StatusGoingAway, "the channel was closed, or the agent stops")
		late.Stop()
	}
	cut()
	others.Wait()
}

// follow writes what comes after at until the socket ends, or the channel does,
// which it reports.
func (s *socket) follow(ctx context.Context, at news.Position, sent <-chan struct{}) (end bool) {
	for {
		var more <-chan struct{} // nil: nothing is read
		if s.in.Receive {
			page := s.log.After(at)
			if s.write(ctx, page) != nil {
				return false
			}
			at, more = page.Next, page.More
		}
		select {
		case <-s.channel.Done():
			return !s.in.Receive || s.write(ctx, s.log.After(at)) == nil
		case <-more:
		case <-sent:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// pulse returns when the other end does not show that it lives. Nobody waits for
// that: events go on.
func (s *socket) pulse(ctx context.Context) {
	pulse := time.NewTicker(streamPulse)
	defer pulse.Stop()
	for {
		select {
		case <-pulse.C:
			if s.ping(ctx) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func (s *socket) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pongTime)
	defer cancel()
	return s.conn.Ping(ctx)
}

func (s *socket) write(ctx context.Context, page news.Page) error {
	if page.Gap {
		if err := s.tell(ctx, EventMissed, Gap{Missed: page.Missed}); err != nil {
			return err
		}
	}
	for _, item := range page.Items {
		if !s.in.has(item) {
			continue
		}
		if err := s.send(ctx, withCursor(item)); err != nil {
			return err
		}
	}
	return nil
}

// send sends one message, or ends the socket when it is not taken in time.
func (s *socket) send(ctx context.Context, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, streamWrite)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, text)
}

// tell sends an event that is about the socket.
func (s *socket) tell(ctx context.Context, kind string, data any) error {
	content, err := json.Marshal(data)
	if err != nil {
		return err
	}
	text, err := json.Marshal(cloudevents.Event{Data: content, Attributes: map[string]any{
		cloudevents.ID: strconv.FormatUint(s.tellings.Add(1), 10), cloudevents.Type: kind,
		cloudevents.Source: channelsPath + "/" + s.in.Channel + "/stream",
	}})
	if err != nil {
		return err
	}
	return s.send(ctx, text)
}

// receive publishes what is sent, one message after the other: who does not
// read the answers is not read from, either.
func (s *socket) receive(ctx context.Context) {
	s.conn.SetReadLimit(maxBody)
	for {
		kind, text, err := s.conn.Read(ctx)
		if err != nil {
			return
		}
		if kind != websocket.MessageText {
			s.conn.Close(websocket.StatusUnsupportedData, "want messages of text: CloudEvents as JSON")
			return
		}
		if s.publish(ctx, text) != nil {
			return
		}
	}
}

// publish publishes one message and answers it.
func (s *socket) publish(ctx context.Context, text []byte) error {
	event, err := readEvent(text)
	if err == nil {
		in, cancel := inTime(ctx)
		id, failed := s.channel.PublishInTurn(in, event)
		cancel()
		if failed == nil {
			return s.tell(ctx, EventPublished, PublishedEvent{ID: event.Text(cloudevents.ID), KechoID: id.String()})
		}
		err = channelFailure(failed)
	}
	var coded *Error
	if !errors.As(err, &coded) {
		coded = &Error{Code: Failed, Detail: err.Error()}
	}
	return s.tell(ctx, EventRefused, Refusal{ID: event.Text(cloudevents.ID), Code: coded.Code, Detail: coded.Detail})
}

// readEvent reads a message, which is one event as JSON.
func readEvent(text []byte) (cloudevents.Event, error) {
	if deeper(text, maxDepth) {
		return cloudevents.Event{}, &Error{Code: Invalid, Detail: fmt.Sprintf("the message has more than %d levels", maxDepth)}
	}
	events, err := cloudevents.Decode(http.Header{"Content-Type": {cloudevents.Structured}}, text)
	if err != nil {
		return cloudevents.Event{}, eventFailure("message", err)
	}
	return events[0], nil
}
