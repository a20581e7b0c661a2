package cloudevents

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// The attributes that have a meaning.
const (
	ID              = "id"
	Source          = "source"
	Type            = "type"
	Time            = "time"
	DataContentType = "datacontenttype"

	specVersion = "specversion"
	version     = "1.0"
	maxName     = 64
)

// required are the attributes that every event has, besides specversion.
var required = []string{ID, Source, Type}

// Event is one CloudEvent, of version 1.0.
type Event struct {
	// Attributes are all but specversion: each a string, a bool or an int64.
	Attributes map[string]any
	// Data are the bytes of the content, of the type that datacontenttype names;
	// JSON when there is none. Empty: there are none.
	Data []byte
}

// Text is the attribute of that name as a string; "" when it is none.
func (e Event) Text(name string) string {
	s, _ := e.Attributes[name].(string)
	return s
}

// Check says what is missing or wrong, and where; nil for a sound event.
func (e Event) Check() error {
	var missing []string
	for _, name := range required {
		if v, ok := e.Attributes[name]; !ok || v == "" {
			missing = append(missing, name)
		} else if _, ok := v.(string); !ok {
			return fmt.Errorf("the attribute %s is not a string", name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("a CloudEvent needs the attributes specversion, id, source and type: missing %s", strings.Join(missing, ", "))
	}
	for name, v := range e.Attributes {
		if err := checkAttribute(name, v); err != nil {
			return err
		}
	}
	return nil
}

func checkAttribute(name string, v any) error {
	if !validName(name) {
		return fmt.Errorf("the attribute %.80q: want a name of 1 to %d lower-case letters and digits", name, maxName)
	}
	text, isText := v.(string)
	switch name {
	case Source, "dataschema":
		if _, err := url.Parse(text); err != nil || !isText {
			return fmt.Errorf("the attribute %s is no URI: %.80q", name, v)
		}
	case Time:
		if _, err := time.Parse(time.RFC3339Nano, text); err != nil {
			return fmt.Errorf("the attribute time is not as RFC 3339 has it, such as 2026-01-02T15:04:05Z: %.80q", v)
		}
	case "subject", DataContentType:
		if !isText {
			return fmt.Errorf("the attribute %s is not a string", name)
		}
	case "data", specVersion:
		return fmt.Errorf("the attribute %s may not be an extension", name)
	}
	switch v.(type) {
	case string, bool, int64:
		return nil
	}
	return fmt.Errorf("the attribute %s is a %T: want a string, a bool or an int64", name, v)
}

// ValidAttribute reports whether an event can have that attribute, with that value.
func ValidAttribute(name string, v any) bool { return checkAttribute(name, v) == nil }

func validName(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
