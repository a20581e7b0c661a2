package filtering

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"kecho/agent/api"
	"kecho/channel"
	"kecho/channel/channeltest"
)

// TestOverHTTP puts, lists, replaces, tests and removes filters by the API.
func TestOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _ := channeltest.Nodes(t, 2)
		channeltest.Open(t, "data", nodes...)
		jobs := channeltest.Open(t, "jobs", nodes...)
		got := channeltest.Record(t, jobs[1], channel.Match{})
		var beside channel.Filter
		table := New(Config{Channels: nodes[0].Channels, Own: map[string]Own{"data": {Out: func(f channel.Filter) { beside = f }, Why: "it would lose leases"}}})
		handler := api.NewHandler(api.Config{
			Node: func() api.Node { return api.Node{} }, Members: func() []api.Member { return nil },
			Ready: func() []api.Check { return nil }, Filters: table, StockFilters: table.Stock(),
		})
		ask := func(method, path, body string, status int, want string) {
			t.Helper()
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != status || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s %s %s: %d %s\nwant %d %s", method, path, body, w.Code, w.Body, status, want)
			}
		}
		submit := func(kind string) {
			t.Helper()
			if _, err := jobs[0].Submit(t.Context(), channel.Event{Type: channel.Type(kind)}); err != nil && !errors.Is(err, channel.ErrNoSink) {
				t.Error(err)
			}
			synctest.Wait()
		}
		const at = "/v1/channels/jobs/filters/out"
		ask("PUT", at, `{"kind":"expression","source":"type == \"a\""}`, 200, `"revision": 1`)
		submit("a")
		submit("b")
		ask("GET", at, "", 200, `"dropped": 1`)
		ask("PUT", at, `{"kind":"expression","source":"type = 1"}`, 422, `1:6: `)
		ask("PUT", at, `{"kind":"stock","source":"types only=b","fallback":"drop"}`, 200, `"fallback": "drop"`)
		submit("a")
		submit("b")
		ask("GET", "/v1/filters", "", 200, `"source": "types only=b"`)
		ask("DELETE", at, "", 204, "")
		ask("DELETE", at, "", 404, "no filter there")
		ask("GET", at, "", 404, "has no out-filter")
		submit("c")
		ask("PUT", "/v1/channels/data/filters/in", `{"kind":"stock","source":"none"}`, 409, `takes no in-filter: it would lose leases`)
		ask("PUT", "/v1/channels/data/filters/out", `{"kind":"expression","source":"type == \"a\""}`, 200, `"channel": "data"`)
		sinks := make([]channel.Sink, 2)
		if beside == nil || len(beside(&channel.Event{Type: "b"}, sinks)) != 0 || len(beside(&channel.Event{Type: "a"}, sinks)) != 2 {
			t.Error("the filter of the agent's own channel is not where it was to be")
		}
		ask("DELETE", "/v1/channels/data/filters/out", "", 204, "")
		if beside != nil {
			t.Error("the filter of the agent's own channel is still on after it was removed")
		}
		ask("PUT", "/v1/channels/none/filters/in", `{"kind":"stock","source":"none"}`, 404, "no channel")
		ask("PUT", "/v1/channels/jobs/filters/up", `{"kind":"stock","source":"none"}`, 422, "direction")
		ask("PUT", at, `{"kind":"lua"}`, 422, "body.kind")
		ask("PUT", at, `{"kind":"wasm","module":"AGFzbQ=="}`, 422, "not a WebAssembly module")
		ask("PUT", at, `{"kind":"wasm","source":"x"}`, 422, "goes into module")
		ask("PUT", at, `{"kind":"stock","module":"AGFzbQ=="}`, 422, "goes into source")
		// A change may be for the filter that was read alone.
		tag := func() string {
			r := httptest.NewRecorder()
			handler.ServeHTTP(r, httptest.NewRequest("GET", at, nil))
			return r.Header().Get("ETag")
		}
		change := func(method, field, value string, status int) {
			t.Helper()
			r := httptest.NewRequest(method, at, strings.NewReader(`{"kind":"stock","source":"types only=c"}`))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set(field, value)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != status || status == 412 && !strings.Contains(w.Body.String(), `"code": "changed"`) {
				t.Errorf("%s with %s: %s: %d %s, want %d", method, field, value, w.Code, w.Body, status)
			}
		}
		change("PUT", "If-Match", "*", 412)
		change("PUT", "If-None-Match", "*", 200)
		change("PUT", "If-None-Match", "*", 412)
		first := tag()
		change("PUT", "If-Match", first, 200)
		change("PUT", "If-Match", first, 412)
		change("DELETE", "If-Match", first, 412)
		change("DELETE", "If-Match", tag(), 204)
		change("DELETE", "If-Match", "*", 412)
		ask("GET", "/v1/filters/stock", "", 200, `"name": "least-loaded",`)
		var kinds string
		for _, e := range got.Events() {
			kinds += string(e.Type)
		}
		if kinds != "abc" {
			t.Errorf("%s arrived, want abc", kinds)
		}
		ask("PUT", at, `{"kind":"stock","source":"none"}`, 200, "")
		table.Close()
		submit("d") // no filter is left on it
		if events := got.Events(); events[len(events)-1].Type != "d" {
			t.Error("a filter outlives its table")
		}
		jobs[0].Close()
		ask("GET", "/v1/filters", "", 200, `"items": []`)
	})
}

func TestTest(t *testing.T) {
	table := New(Config{Channels: func() []*channel.Channel { return nil }})
	trial := func(source string) api.FilterTrial {
		var all api.FilterTrial
		text := fmt.Sprintf(`{"direction":"out","filter":{"kind":"expression","source":%q},
			"event":{"type":"job","priority":"urgent","size":7,"attributes":{"n":3},"from":{"zone":"a"}},
			"sinks":[{"local":true},{"attributes":{"load":0.9}},{"attributes":{"load":{"float":0}},"age_ms":2000}]}`, source)
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	for source, want := range map[string]string{
		`sinks | filter(!.local) | sortBy(.load)`: "[2 1]",
		`sinks | filter(.age > 1)`:                "[2]",
		`priority == urgent && number(event, "n", 0) == 3 && text(from, "zone", "") == "a"`: "[0 1 2]",
		`type == "x"`: "[]",
		`size == 7`:   "[0 1 2]",
	} {
		out, err := table.Test(trial(source))
		if err != nil || out.Error != "" || fmt.Sprint(out.Kept) != want {
			t.Errorf("%s: %+v, %v; want %s", source, out, err, want)
		}
	}
	if out, err := table.Test(trial(`7 % (size - 7) == 1`)); err != nil || !strings.Contains(out.Error, "divide by zero") {
		t.Errorf("%+v, %v", out, err)
	}
	bad := trial("true")
	bad.Sinks[1].Attributes["tags"] = []any{1}
	var coded *api.Error
	if _, err := table.Test(bad); !errors.As(err, &coded) || coded.Code != api.Invalid || !strings.Contains(coded.Detail, `body.sinks[1].attributes."tags"`) {
		t.Error(err)
	}
	bad = trial("true")
	bad.Event.Size = -1
	if _, err := table.Test(bad); !errors.As(err, &coded) || !strings.Contains(coded.Detail, "body.event.size") {
		t.Error(err)
	}
	if _, err := table.Test(trial("sinks |")); !errors.As(err, &coded) || coded.Code.Status() != http.StatusUnprocessableEntity {
		t.Error(err)
	}
}
