package cloudevents

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The content types of the modes that are JSON.
const (
	Structured = "application/cloudevents+json"
	Batch      = "application/cloudevents-batch+json"
)

// MaxBatch is how many events a batch has at most.
const MaxBatch = 256

// Errors that callers branch on.
var (
	// ErrFormat: CloudEvents, in a format other than JSON.
	ErrFormat = errors.New("CloudEvents are read as " + Structured + ", as " + Batch + ", and in binary mode")
	// ErrEncoding: the body is compressed, or otherwise not as it is.
	ErrEncoding = errors.New("a body is read as it is")
	// ErrBatch: a batch has more than MaxBatch events.
	ErrBatch = fmt.Errorf("a batch has more than %d events", MaxBatch)
)

// Decode reads what a request carries: one event, or those of a batch, all of
// them sound. An error names the event by its place, and what of it is wrong.
func Decode(header http.Header, body []byte) ([]Event, error) {
	if coding := header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return nil, fmt.Errorf("Content-Encoding %.40q: %w", coding, ErrEncoding)
	}
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	switch {
	case kind == Structured:
		var e Event
		if err := unmarshal(body, &e); err != nil {
			return nil, err
		}
		return []Event{e}, nil
	case kind == Batch:
		return decodeBatch(body)
	case strings.HasPrefix(kind, "application/cloudevents"):
		return nil, fmt.Errorf("%.80s: %w", kind, ErrFormat)
	}
	e, err := decodeBinary(header, body)
	if err != nil {
		return nil, err
	}
	return []Event{e}, nil
}

func decodeBatch(body []byte) ([]Event, error) {
	var texts []json.RawMessage
	if err := json.Unmarshal(body, &texts); err != nil {
		return nil, errors.New("a batch is a JSON list of CloudEvents, and this is none")
	}
	if len(texts) > MaxBatch {
		return nil, ErrBatch
	}
	events := make([]Event, len(texts))
	for i, text := range texts {
		err := unmarshal(text, &events[i])
		switch {
		case err != nil && len(texts) == 1:
			return nil, err
		case err != nil:
			return nil, fmt.Errorf("event %d of %d: %w", i+1, len(texts), err)
		}
	}
	return events, nil
}

// unmarshal is UnmarshalJSON of text that may be no JSON.
func unmarshal(text []byte, e *Event) error {
	switch {
	case !json.Valid(text):
		return errors.New("the event is no JSON")
	case !utf8.Valid(text):
		return errors.New("the event is not in UTF-8")
	}
	if err := e.UnmarshalJSON(text); err != nil {
		return err
	}
	return e.checkTexts()
}

// checkTexts refuses characters that CloudEvents' strings do not have. It is for what
// is sent here: from elsewhere they are let through, as Go programs may submit them.
func (e Event) checkTexts() error {
	for name, v := range e.Attributes {
		text, _ := v.(string)
		if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			return fmt.Errorf("the attribute %s is %.80q: want UTF-8 without control characters", name, text)
		}
	}
	return nil
}

func decodeBinary(header http.Header, body []byte) (Event, error) {
	e := Event{Attributes: make(map[string]any), Data: body}
	for field, values := range header {
		name, ok := strings.CutPrefix(strings.ToLower(field), "ce-")
		if !ok {
			continue
		}
		text, err := url.PathUnescape(strings.Join(values, ", "))
		if err != nil {
			return Event{}, fmt.Errorf("the field %.80s: %w", field, err)
		}
		e.Attributes[name] = text
	}
	if kind := header.Get("Content-Type"); kind != "" {
		e.Attributes[DataContentType] = kind
	}
	if err := e.takeVersion(); err != nil {
		return Event{}, fmt.Errorf("%w (in binary mode they are the fields ce-specversion, ce-id, ...; JSON with all of them is "+Structured+")", err)
	}
	if err := e.Check(); err != nil {
		return Event{}, err
	}
	return e, e.checkTexts()
}
