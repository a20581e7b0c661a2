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
		table := New(Config{Channels: nodes[0].Channels, Own: []string{"data"}})
		handler := api.NewHandler(api.Config{
			Node: func() api.Node { return api.Node{} }, Members: func() []api.Member { return nil },
			Ready: func() []api.Check { return nil }, Filters: table,
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
		ask("PUT", "/v1/channels/data/filters/in", `{"kind":"stock","source":"none"}`, 409, "the agent's own")
		ask("PUT", "/v1/channels/none/filters/in", `{"kind":"stock","source":"none"}`, 404, "no channel")
		ask("PUT", "/v1/channels/jobs/filters/up", `{"kind":"stock","source":"none"}`, 422, "direction")
		ask("PUT", at, `{"kind":"lua"}`, 422, "body.kind")
		ask("PUT", at, `{"kind":"wasm","module":"AGFzbQ=="}`, 422, "not a WebAssembly module")
		ask("PUT", at, `{"kind":"wasm","source":"x"}`, 422, "goes into module")
		ask("PUT", at, `{"kind":"stock","module":"AGFzbQ=="}`, 422, "goes into source")
		var kinds string
		for _, e := range got.Events() {
			kinds += string(e.Type)
		}
		if kinds != "abc" {
			t.Errorf("%s arrived, want abc", kinds)
		}
		ask("PUT", at, `{"kind":"stock","source":"none"}`, 200, "")
		jobs[0].Close()
		ask("GET", "/v1/filters", "", 200, `"items": []`)
	})
}

func TestTest(t *testing.T) {
	table := New(Config{Channels: func() []*channel.Channel { return nil }})
	trial := func(source string) api.FilterTrial {
		var all api.FilterTrial
		text := fmt.Sprintf(`{"direction":"out","filter":{"kind":"expression","source":%q},
			"event":{"type":"job","priority":"urgent","attributes":{"n":3},"from":{"zone":"a"}},
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
	} {
		out, err := table.Test(trial(source))
		if err != nil || out.Error != "" || fmt.Sprint(out.Kept) != want {
			t.Errorf("%s: %+v, %v; want %s", source, out, err, want)
		}
	}
	if out, err := table.Test(trial(`7 % (size + 0) == 1`)); err != nil || !strings.Contains(out.Error, "divide by zero") {
		t.Errorf("%+v, %v", out, err)
	}
	bad := trial("true")
	bad.Sinks[1].Attributes["tags"] = []any{1}
	var coded *api.Error
	if _, err := table.Test(bad); !errors.As(err, &coded) || coded.Code != api.Invalid || !strings.Contains(coded.Detail, `body.sinks[1].attributes."tags"`) {
		t.Error(err)
	}
	if _, err := table.Test(trial("sinks |")); !errors.As(err, &coded) || coded.Code.Status() != http.StatusUnprocessableEntity {
		t.Error(err)
	}
}
