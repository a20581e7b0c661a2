package cloudevents_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"kecho/agent/cloudevents"
)

func header(fields ...string) http.Header {
	h := make(http.Header)
	for i := 0; i+1 < len(fields); i += 2 {
		h.Set(fields[i], fields[i+1])
	}
	return h
}

func TestDecode(t *testing.T) {
	const structured = `{"specversion":"1.0","id":"1","source":"/a","type":"t"`
	for _, tt := range []struct {
		name   string
		header http.Header
		body   string
		want   string // as JSON
	}{
		{"binary", header("ce-specversion", "1.0", "ce-id", "1", "ce-source", "/a", "ce-type", "t", "ce-subject", "a%20b", "Content-Type", "text/plain"), "hello",
			structured + `,"datacontenttype":"text/plain","subject":"a b","data":"hello"}`},
		{"binary bytes", header("ce-specversion", "1.0", "ce-id", "1", "ce-source", "/a", "ce-type", "t", "Content-Type", "application/octet-stream"), "\xff\x00",
			structured + `,"datacontenttype":"application/octet-stream","data_base64":"/wA="}`},
		{"structured", header("Content-Type", cloudevents.Structured+"; charset=utf-8"), structured + `,"n":7,"b":true,"gone":null,"data":{"x": [1, 2]}}`,
			structured + `,"b":true,"n":7,"data":{"x":[1,2]}}`},
		{"structured bytes", header("Content-Type", cloudevents.Structured), structured + `,"data_base64":"/wA="}`,
			structured + `,"data_base64":"/wA="}`},
		{"no data", header("Content-Type", cloudevents.Structured), structured + `}`, structured + `}`},
		{"batch", header("Content-Type", cloudevents.Batch), `[` + structured + `},` + structured + `,"data":1}]`, structured + `},` + structured + `,"data":1}`},
	} {
		events, err := cloudevents.Decode(tt.header, []byte(tt.body))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		text, err := json.Marshal(events)
		if want := "[" + tt.want + "]"; err != nil || string(text) != want {
			t.Errorf("%s: %v\n%s, want\n%s", tt.name, err, text, want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	event := func(more string) string { return `{"specversion":"1.0","id":"1","source":"/a","type":"t"` + more + `}` }
	one, batch := header("Content-Type", cloudevents.Structured), header("Content-Type", cloudevents.Batch)
	for _, tt := range []struct {
		header     http.Header
		body, want string
	}{
		{header("Content-Type", "text/plain"), "x", "missing specversion, id, source, type (in binary mode"},
		{header("ce-specversion", "1.0", "ce-id", "1"), "", "missing source, type"},
		{header("ce-specversion", "1.0", "ce-id", "%zz"), "", "invalid URL escape"},
		{one, "{", "the event is no JSON"},
		{one, "null", "a CloudEvent is a JSON object"},
		{one, `{"specversion":"1.0"}`, "missing id, source, type"},
		{one, `{"specversion":"0.3","id":"1","source":"/a","type":"t"}`, `specversion "0.3": want 1.0`},
		{one, event(`,"id":""`), "missing id"},
		{one, event(`,"id":4`), "the attribute id is not a string"},
		{one, event(`,"Upper":""`), "lower-case letters"},
		{one, event(`,"x":1.5`), `the attribute "x": want a string, true, false, or a whole number of 32 bits`},
		{one, event(`,"x":{}`), `the attribute "x": want`},
		{one, event(`,"time":"now"`), "RFC 3339"},
		{one, event(`,"source":":"`), "source is no URI"},
		{one, event(`,"data":1,"data_base64":""`), "want one of them"},
		{one, event(`,"data_base64":"?"`), "data_base64: illegal base64"},
		{one, event(`,"x":"a\u0007"`), `the attribute x is "a\a": want UTF-8 without control characters`},
		{one, event(`,"data":"` + "\xff" + `"`), "the event is not in UTF-8"},
		{header("ce-specversion", "1.0", "ce-id", "%ff", "ce-source", "/a", "ce-type", "t"), "", `the attribute id is "\xff": want UTF-8`},
		{header("ce-specversion", "1.0", "ce-id", "1", "ce-source", "/a", "ce-type", "t%0Ax"), "", `the attribute type is "t\nx": want UTF-8`},
		{header("Content-Type", cloudevents.Structured, "Content-Encoding", "gzip"), event(""), `Content-Encoding "gzip": a body is read as it is`},
		{batch, "{}", "a batch is a JSON list of CloudEvents, and this is none"},
		{batch, `[{"specversion":"1.0"}]`, "a CloudEvent needs"},
		{batch, "[" + event("") + `,{"specversion":"1.0","id":"2","type":"t"}]`, "event 2 of 2: a CloudEvent needs the attributes specversion, id, source and type: missing source"},
		{batch, "[" + strings.Repeat("1,", cloudevents.MaxBatch) + "1]", "more than 256 events"},
		{header("Content-Type", "application/cloudevents+avro"), "", "CloudEvents are read as"},
	} {
		if _, err := cloudevents.Decode(tt.header, []byte(tt.body)); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "1 of 1") {
			t.Errorf("%s: %v, want %q", tt.body, err, tt.want)
		}
	}
}

// What Decode reads is written so that it is read again as the same.
func FuzzDecode(f *testing.F) {
	f.Add(cloudevents.Structured, []byte(`{"specversion":"1.0","id":"1","source":"/a","type":"t","data":{"x":"<"}}`))
	f.Add(cloudevents.Batch, []byte(`[{"specversion":"1.0","id":"1","source":"/a","type":"t","datacontenttype":"text/x","data":"a\u0000"}]`))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		events, err := cloudevents.Decode(header("Content-Type", kind), body)
		if err != nil {
			return
		}
		text, err := json.Marshal(events)
		if err != nil {
			t.Fatal(err)
		}
		again, err := cloudevents.Decode(header("Content-Type", cloudevents.Batch), text)
		if err != nil || len(again) != len(events) {
			t.Fatalf("%v in %s", err, text)
		}
		for i := range events {
			if !reflect.DeepEqual(events[i].Attributes, again[i].Attributes) {
				t.Errorf("%v became %v", events[i].Attributes, again[i].Attributes)
			}
		}
		if second, _ := json.Marshal(again); string(second) != string(text) {
			t.Errorf("%s became %s", text, second)
		}
	})
}
