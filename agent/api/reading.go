package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"kecho/agent/news"
)

const (
	jsonType   = "application/json"
	sseType    = "text/event-stream"
	ndjsonType = "application/x-ndjson"

	maxPoll     = time.Minute
	streamWrite = 10 * time.Second // for a reader to take what is written
	streamPulse = 15 * time.Second // so that both ends see when the other is gone
)

// Reading is how a log is read.
type Reading struct {
	Wait   string `query:"wait" maxLength:"32" doc:"how long a list waits for an event when there is none: 1m at most" example:"30s"`
	Last   string `header:"Last-Event-ID" maxLength:"64" doc:"as after, for server-sent events"`
	Accept string `header:"Accept" doc:"text/event-stream and application/x-ndjson are streams; all else is a list"`
}

// forms are how items are written. A gap is an item without an ID.
type forms struct {
	list        func(items []Event, next string, gap *Gap) any
	sse, ndjson func(Event) string
}

// reader is one reader of a log.
type reader struct {
	log      *news.Log
	at       news.Position
	patience time.Duration // of a list
	kind     string        // the content type
	has      func(Event) bool
	forms    forms
}

// begin is a reader of log behind a cursor, or where its kind begins.
func (in *Reading) begin(log *news.Log, after string) (reader, error) {
	r := reader{log: log, kind: streamOf(in.Accept)}
	var err error
	if r.patience, err = within("query.wait", in.Wait, 0); err != nil {
		return r, err
	}
	field := "query.after: "
	if in.Last != "" {
		field, after = "header.Last-Event-ID: ", in.Last
	}
	switch {
	case after != "":
		if r.at, err = log.Behind(after); err != nil {
			return r, &Error{Code: Invalid, Detail: field + err.Error()}
		}
	case r.kind == jsonType:
		r.at = log.Start()
	default:
		r.at = log.Now()
	}
	return r, nil
}

// streamOf is the content type of an answer that may be a stream.
func streamOf(accept string) string {
	for _, kind := range []string{sseType, ndjsonType} {
		if strings.Contains(accept, kind) {
			return kind
		}
	}
	return jsonType
}

// serve answers with what the reader is to have.
func (r *reader) serve(ctx context.Context, w http.ResponseWriter) {
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", r.kind)
	switch r.kind {
	case jsonType:
		_ = control.SetWriteDeadline(time.Now().Add(r.patience + streamWrite)) // a recorder of a test has none
		writeJSON(w, r.poll(ctx))
	case sseType:
		s := stream{w: w, control: control, has: r.has, pulse: ":\n\n", form: r.forms.sse}
		s.run(ctx, r.log, r.at)
	default:
		s := stream{w: w, control: control, has: r.has, pulse: "\n", form: r.forms.ndjson}
		s.run(ctx, r.log, r.at)
	}
}

// poll is the list of what comes, as soon as there is something that is wanted,
// or of nothing when patience is over.
func (r *reader) poll(ctx context.Context) any {
	over := time.NewTimer(r.patience)
	defer over.Stop()
	for {
		page := r.log.After(r.at)
		r.at = page.Next
		var items []Event
		for _, item := range page.Items {
			if r.has(item) {
				items = append(items, item)
			}
		}
		var gap *Gap
		if page.Gap {
			gap = &Gap{Missed: page.Missed}
		}
		list := r.forms.list(items, r.log.ID(page.Next), gap)
		switch {
		case len(items) > 0 || page.Gap || page.End:
			return list
		case page.Rest:
			continue
		case r.patience == 0:
			return list
		}
		select {
		case <-page.More:
		case <-over.C:
			return list
		case <-ctx.Done():
			return list
		}
	}
}

// stream is a reader that is written to as things happen.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	has     func(Event) bool
	form    func(Event) string
	pulse   string // shows that the stream lives
}

// run writes what comes after at until the reader or the log is gone.
func (s *stream) run(ctx context.Context, log *news.Log, at news.Position) {
	s.w.WriteHeader(http.StatusOK)
	if s.write(s.pulse) != nil {
		return
	}
	pulse := time.NewTicker(streamPulse)
	defer pulse.Stop()
	for {
		page := log.After(at)
		if text := s.format(page); text != "" && s.write(text) != nil || page.End {
			return
		}
		at = page.Next
		select {
		case <-page.More:
		case <-pulse.C:
			if s.write(s.pulse) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// write writes text and sees that it goes.
func (s *stream) write(text string) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(streamWrite)) // a recorder of a test has none
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}

// format is a page as text.
func (s *stream) format(page news.Page) string {
	var b strings.Builder
	if page.Gap {
		missed, _ := json.Marshal(Gap{Missed: page.Missed})
		b.WriteString(s.form(Event{Type: EventGap, Time: time.Now(), Data: missed}))
	}
	for _, item := range page.Items {
		if s.has(item) {
			b.WriteString(s.form(item))
		}
	}
	return b.String()
}
