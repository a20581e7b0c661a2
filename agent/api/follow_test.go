package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"kecho/agent/api"
	"kecho/agent/channels"
	"kecho/agent/cloudevents"
)

// publish publishes n events of types a, b, a, ... and waits until they are
// kept.
func publish(t *testing.T, table *channels.Table, n int) *channels.Channel {
	t.Helper()
	c, _, err := table.Open("work")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		e := cloudevents.Event{Attributes: map[string]any{"id": fmt.Sprint(i + 1), "source": "/x", "type": string("ab"[i%2])}}
		more := c.Log().After(c.Log().Now()).More
		if _, err := c.Publish(t.Context(), []cloudevents.Event{e}); err != nil {
			t.Fatal(err)
		}
		<-more
	}
	return c
}

// idsOf are the ids of CloudEvents.
func idsOf(t *testing.T, items []json.RawMessage) (ids string) {
	t.Helper()
	for _, item := range items {
		var e struct{ ID, KechoCursor string }
		if err := json.Unmarshal(item, &e); err != nil || e.KechoCursor == "" {
			t.Errorf("%v in %s", err, item)
		}
		ids += e.ID + " "
	}
	return ids
}

func TestFollowList(t *testing.T) {
	table, _, addr := channelServer(t)
	c := publish(t, table, 4)
	first := strings.TrimSuffix(c.Log().ID(c.Log().Now()), "4")
	for _, tt := range []struct {
		query, ids, next string
		gap              bool
	}{
		{"", "1 2 3 4 ", "4", false},
		{"?type=b", "2 4 ", "4", false},
		{"?after=" + first + "3&wait=1m", "4 ", "4", false},
		{"?after=" + first + "4&wait=1ms", "", "4", false},
		{"?after=00-7", "1 2 3 4 ", "4", true},
	} {
		status, body := request(t, "GET", addr+"/v1/channels/work/events"+tt.query, "")
		var got api.ChannelEvents
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
			t.Fatalf("%s: %d %v in %s", tt.query, status, err, body)
		}
		if ids := idsOf(t, got.Items); ids != tt.ids || got.Next != first+tt.next || (got.Gap != nil) != tt.gap {
			t.Errorf("%s: %s next %s gap %v", tt.query, ids, got.Next, got.Gap)
		}
	}
	// Who waits is answered as soon as there is something.
	go func() {
		for i := range 2 {
			e := cloudevents.Event{Attributes: map[string]any{"id": fmt.Sprint(i + 1), "source": "/x", "type": string("ab"[i%2])}}
			if _, err := c.Publish(t.Context(), []cloudevents.Event{e}); err != nil {
				t.Error(err)
			}
		}
	}()
	status, body := request(t, "GET", addr+"/v1/channels/work/events?wait=1m&type=b&after="+first+"4", "")
	if status != 200 || !strings.Contains(body, `"id": "2"`) {
		t.Errorf("%d %s", status, body)
	}
}

// Streams begin behind a cursor, tell gaps, and end with the channel.
func TestFollowStreams(t *testing.T) {
	table, _, addr := channelServer(t)
	c := publish(t, table, 2)
	first := strings.TrimSuffix(c.Log().ID(c.Log().Now()), "2")
	for _, tt := range []struct {
		accept, field, last string
		want                []string
	}{
		{"text/event-stream", "Last-Event-ID", first + "1", []string{":", "", "id: " + first + "2", "event: b", `data: {"kechocursor":"` + first + `2","specversion":"1.0","id":"2"`, ""}},
		{"text/event-stream", "Last-Event-ID", "00-9", []string{":", "", "event: gap", `data: {"missed":0}`, "", "id: " + first + "1"}},
		{"application/x-ndjson", "Last-Event-ID", "00-9", []string{"", `{"gap":{"missed":0}}`, `{"kechocursor":"` + first + `1",`, `{"kechocursor":"` + first + `2",`}},
	} {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", addr+"/v1/channels/work/events", nil)
		r.Header.Set("Accept", tt.accept)
		r.Header.Set(tt.field, tt.last)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if kind := res.Header.Get("Content-Type"); kind != tt.accept {
			t.Errorf("Content-Type %q", kind)
		}
		lines := bufio.NewScanner(res.Body)
		for _, want := range tt.want {
			if !lines.Scan() || !strings.HasPrefix(lines.Text(), want) || want == "" && lines.Text() != "" {
				t.Errorf("%s: %q, want %q", tt.accept, lines.Text(), want)
			}
		}
		defer func() {
			for lines.Scan() {
			}
			if err := lines.Err(); err != nil {
				t.Errorf("the end: %v", err)
			}
		}()
	}
	if err := table.Close("work"); err != nil {
		t.Fatal(err)
	}
}

func TestFollowRefused(t *testing.T) {
	table, _, addr := channelServer(t)
	publish(t, table, 0)
	for _, tt := range []struct {
		path   string
		status int
		want   string
	}{
		{"nothing/events", 404, "there is no such channel"},
		{"data/events", 409, "the agent's own"},
		{"work/events?after=x", 422, `query.after: \"x\" is no item's id`},
		{"work/events?wait=1h", 422, "query.wait"},
		{"work/events?whit=1s", 422, "whit"},
	} {
		if status, body := request(t, "GET", addr+"/v1/channels/"+tt.path, ""); status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %d %s", tt.path, status, body)
		}
	}
}
