package cloudevents

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"mime"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MarshalJSON is the JSON format: the required attributes first, then the
// others by name, then the data: as they are when they are JSON, a string when
// they are text, base64 otherwise.
func (e Event) MarshalJSON() ([]byte, error) {
	names := slices.Sorted(maps.Keys(e.Attributes))
	names = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(required, n) })
	b := []byte(`{"specversion":"` + version + `"`)
	for _, name := range slices.Concat(required, names) {
		v, ok := e.Attributes[name]
		if !ok {
			continue
		}
		b = appendMember(b, name)
		switch v := v.(type) {
		case string:
			b = appendText(b, v)
		case bool:
			b = strconv.AppendBool(b, v)
		case int64:
			b = strconv.AppendInt(b, v, 10)
		default:
			return nil, fmt.Errorf("the attribute %s is a %T", name, v)
		}
	}
	b = e.appendData(b)
	return append(b, '}'), nil
}

func (e Event) appendData(b []byte) []byte {
	kind := e.Text(DataContentType)
	switch {
	case len(e.Data) == 0:
	case isJSON(kind) && json.Valid(e.Data):
		b = append(appendMember(b, "data"), e.Data...)
	case strings.HasPrefix(kind, "text/") && utf8.Valid(e.Data):
		b = appendText(appendMember(b, "data"), string(e.Data))
	default:
		b = append(appendMember(b, "data_base64"), '"')
		b = base64.StdEncoding.AppendEncode(b, e.Data)
		b = append(b, '"')
	}
	return b
}

func appendMember(b []byte, name string) []byte {
	b = append(b, ',')
	b = appendText(b, name)
	return append(b, ':')
}

func appendText(b []byte, s string) []byte {
	text, _ := json.Marshal(s) // a string is always JSON
	return append(b, text...)
}

// isJSON reports whether data of that content type is JSON; "" is.
func isJSON(kind string) bool {
	if kind == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(kind)
	return err == nil && (strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json"))
}

// UnmarshalJSON reads the JSON format and checks what it has read.
func (e *Event) UnmarshalJSON(text []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return errors.New("a CloudEvent is a JSON object")
	}
	*e = Event{Attributes: make(map[string]any, len(members))}
	for name, raw := range members {
		if name == "data" || name == "data_base64" || string(raw) == "null" {
			continue
		}
		v, err := attribute(raw)
		if err != nil {
			return fmt.Errorf("the attribute %.80q: %w", name, err)
		}
		e.Attributes[name] = v
	}
	if err := e.takeVersion(); err != nil {
		return err
	}
	if err := e.Check(); err != nil {
		return err
	}
	return e.readData(members["data"], members["data_base64"])
}

// takeVersion takes specversion out of the attributes, where it must be 1.0.
func (e *Event) takeVersion() error {
	v, ok := e.Attributes[specVersion]
	delete(e.Attributes, specVersion)
	if ok && v != version {
		return fmt.Errorf("specversion %.20q: want %s", fmt.Sprint(v), version)
	}
	if !ok {
		missing := []string{specVersion}
		for _, name := range required {
			if e.Text(name) == "" {
				missing = append(missing, name)
			}
		}
		return fmt.Errorf("a CloudEvent needs the attributes specversion, id, source and type: missing %s", strings.Join(missing, ", "))
	}
	return nil
}

func attribute(raw json.RawMessage) (any, error) {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case string, bool:
		return v, nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= math.MaxInt32 {
			return int64(v), nil
		}
	}
	return nil, errors.New("want a string, true, false, or a whole number of 32 bits")
}

func (e *Event) readData(data, encoded json.RawMessage) error {
	var text string
	switch {
	case data != nil && encoded != nil:
		return errors.New("there are data and data_base64: want one of them")
	case encoded != nil:
		if err := json.Unmarshal(encoded, &text); err != nil {
			return errors.New("data_base64 is no string")
		}
		bytes, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return fmt.Errorf("data_base64: %w", err)
		}
		e.Data = bytes
	case data != nil && !isJSON(e.Text(DataContentType)) && json.Unmarshal(data, &text) == nil:
		e.Data = []byte(text)
	case data != nil && string(data) != "null":
		var b bytes.Buffer
		if err := json.Compact(&b, data); err != nil {
			return err
		}
		e.Data = b.Bytes()
	}
	return nil
}
