package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent/api"
	"kecho/agent/channels"
	"kecho/channel"
	"kecho/channel/channeltest"
)

// channelServer serves the channels of one node of two.
func channelServer(t *testing.T) (table *channels.Table, other *channel.Node, addr string) {
	t.Helper()
	nodes, _ := channeltest.Nodes(t, 2)
	channeltest.Open(t, "data", nodes...)
	table = channels.New(channels.Config{Own: []string{"data"}, Node: func() *channel.Node { return nodes[0] }})
	server := httptest.NewServer(serving(api.Config{Channels: table}))
	t.Cleanup(server.Close)
	t.Cleanup(table.End) // before the server, which waits for the readers
	return table, nodes[1], server.URL
}

// request sends a request with fields and returns the status and the body.
func request(t *testing.T, method, url, body string, header ...string) (int, string) {
	t.Helper()
	return requestBy(t, http.DefaultClient, method+" "+url, body, header...)
}

// requestBy is request by another client; what is the method and the URL.
func requestBy(t *testing.T, client *http.Client, what, body string, header ...string) (int, string) {
	t.Helper()
	method, url, _ := strings.Cut(what, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestChannels(t *testing.T) {
	_, _, addr := channelServer(t)
	work := addr + "/v1/channels/work"
	for _, tt := range []struct {
		method, url string
		status      int
		want        string
	}{
		{"PUT", work, 201, `"name": "work"`},
		{"PUT", work, 200, `"own": false`},
		{"GET", work, 200, `"dropped": {`},
		{"GET", addr + "/v1/channels", 200, `"name": "data"`},
		{"GET", addr + "/v1/channels/data", 200, `"own": true`},
		{"PUT", work + "?idle=30s", 409, `it is open, and keeps other types, or is idle after another time, or never`},
		{"PUT", addr + "/v1/channels/seldom?idle=30s", 201, `"idle": "30s"`},
		{"PUT", addr + "/v1/channels/seldom?idle=30s", 200, `"idle": "30s"`},
		{"PUT", addr + "/v1/channels/seldom", 200, `"idle": "30s"`},
		{"PUT", addr + "/v1/channels/seldom2?idle=30", 422, `query.idle: \"30\" is not a duration`},
		{"PUT", addr + "/v1/channels/seldom2?idle=0s", 422, `want 1s to 1h0m0s`},
		{"DELETE", addr + "/v1/channels/seldom", 204, ``},
		{"DELETE", work, 204, ``},
		{"GET", work, 404, `there is no such channel open on this node; PUT /v1/channels/{channel} or ` + "`kecho channel open`" + ` opens one, /v1/channels has all`},
		{"DELETE", work, 404, `"code": "not_found"`},
		{"POST", work + "/events", 404, `"code": "not_found"`},
		{"PUT", addr + "/v1/channels/data", 409, `channel \"data\": it is the agent's own, and only shown`},
		{"DELETE", addr + "/v1/channels/data", 409, `"code": "refused"`},
		{"POST", addr + "/v1/channels/data/events", 409, `"code": "refused"`},
		{"PUT", addr + "/v1/channels/a%20b", 422, `channel \"a b\": want a name of 1 to 64 letters`},
		{"PUT", addr + "/v1/channels/" + strings.Repeat("x", 65), 422, `path.channel: expected length`},
	} {
		status, body := request(t, tt.method, tt.url, "")
		if status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s %s: %d %s, want %d %s", tt.method, tt.url, status, body, tt.status, tt.want)
		}
	}
	for i := range channels.MaxChannels {
		if status, body := request(t, "PUT", addr+"/v1/channels/"+fmt.Sprint("c", i), ""); status != 201 {
			t.Fatalf("%d %s", status, body)
		}
	}
	if status, body := request(t, "PUT", work, ""); status != 429 || !strings.Contains(body, `"code": "too_many"`) {
		t.Errorf("one too many: %d %s", status, body)
	}
}

// All three modes of CloudEvents arrive at the other node.
func TestPublish(t *testing.T) {
	table, other, addr := channelServer(t)
	events := addr + "/v1/channels/work/events"
	request(t, "PUT", addr+"/v1/channels/work", "")
	got := channeltest.Record(t, channeltest.Open(t, "work", other)[0], channel.Match{})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) { // until the table's node knows of it
		if info, err := table.Info("work"); err != nil || time.Now().After(deadline) {
			t.Fatalf("%d sinks, %v", len(info.Sinks), err)
		} else if len(info.Sinks) == 1 {
			break
		}
	}
	const one = `{"specversion":"1.0","id":"2","source":"/a","type":"job","data":{"x":1}}`
	for i, tt := range []struct {
		body   string
		header []string
	}{
		{strings.Repeat("[", 99), []string{"ce-specversion", "1.0", "ce-id", "1", "ce-source", "/a", "ce-type", "job", "Content-Type", "text/plain"}},
		{one, []string{"Content-Type", "application/cloudevents+json"}},
		{"[" + one + "," + one + "]", []string{"Content-Type", "application/cloudevents-batch+json; charset=utf-8"}},
	} {
		status, body := request(t, "POST", events, tt.body, tt.header...)
		var p api.Published
		if err := json.Unmarshal([]byte(body), &p); status != 202 || err != nil || len(p.Items) == 0 || p.Sinks != 1 || p.Items[0].ID != fmt.Sprint(min(i+1, 2)) {
			t.Errorf("%d %s %v", status, body, err)
		}
	}
	all := got.Wait(t, 4)
	if b := all[0].Body; len(b) != 99 || all[0].Type != "job" {
		t.Errorf("%s %q", all[0].Type, b)
	}
	if source, _ := channel.Key[string]("source").In(all[3].Attrs); string(all[3].Body) != `{"x":1}` || source != "/a" {
		t.Errorf("%v %q", all[3].Attrs, all[3].Body)
	}
}

func TestPublishRefused(t *testing.T) {
	_, _, addr := channelServer(t)
	events := addr + "/v1/channels/work/events"
	request(t, "PUT", addr+"/v1/channels/work", "")
	const one = `{"specversion":"1.0","id":"2","source":"/a","type":"job"}`
	for _, tt := range []struct {
		kind, body string
		status     int
		want       string
	}{
		{"text/plain", "x", 422, "body: a CloudEvent needs the attributes specversion, id, source and type: missing specversion, id, source, type"},
		{"application/cloudevents+json", `{"specversion":"1.0","id":"2","type":"job"}`, 422, "missing source"},
		{"application/cloudevents+json", `{`, 422, "the event is no JSON"},
		{"application/cloudevents+xml", `<`, 415, `"code": "not_event"`},
		{"application/cloudevents-batch+json", "[" + one + `,{"specversion":"1.0"}]`, 422, "event 2 of 2"},
		{"application/cloudevents-batch+json", "[" + strings.Repeat(one+",", 256) + one + "]", 413, "more than 256 events"},
		{"application/cloudevents+json", strings.Repeat(" ", 65<<10), 413, "65536 bytes"},
		{"application/cloudevents+json", `{"data":` + strings.Repeat("[", 17), 422, "16 levels"},
	} {
		status, body := request(t, "POST", events, tt.body, "Content-Type", tt.kind)
		if status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s %.80s: %d %s, want %d %s", tt.kind, tt.body, status, body, tt.status, tt.want)
		}
	}
}

// A publisher without an end is told so.
func TestPublishTooFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _ := channeltest.Nodes(t, 1)
		table := channels.New(channels.Config{Node: func() *channel.Node { return nodes[0] }})
		if _, _, err := table.Open("work"); err != nil {
			t.Fatal(err)
		}
		h := serving(api.Config{Channels: table})
		const one = `{"specversion":"1.0","id":"2","source":"/a","type":"job"}`
		batch := "[" + strings.Repeat(one+",", 255) + one + "]"
		for n := 0; ; n += 256 {
			r := httptest.NewRequest("POST", "/v1/channels/work/events", strings.NewReader(batch))
			r.Header.Set("Content-Type", "application/cloudevents-batch+json")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			switch {
			case n+256 <= channels.MaxRate && w.Code == 202:
				continue
			case n+256 > channels.MaxRate && w.Code == 429 && w.Header().Get("Retry-After") != "" && strings.Contains(w.Body.String(), `"code": "too_fast"`):
				return
			}
			t.Fatalf("after %d: %d %v", n, w.Code, w.Body)
		}
	})
}
