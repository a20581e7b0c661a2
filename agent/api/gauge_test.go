package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kecho/agent/api"
)

// someGauges has cpu, and disk.used of /data with a threshold.
type someGauges struct {
	set     map[string]float64
	ttl     time.Duration
	watched api.NewThreshold
}

func (s *someGauges) Gauges() []api.Gauge {
	cpu, left := 0.5, 1500.0
	return []api.Gauge{
		{Name: "cpu", Value: &cpu, Source: "machine", Thresholds: []api.Threshold{}},
		{Name: "disk.used{item=/data}", Source: "api", Expires: &left, Thresholds: []api.Threshold{{
			ID: "t1", Gauge: "disk.used{item=/data}", Statistic: "high(disk.used{item=/data})", Condition: "high(disk.used{item=/data}) > 0.9", Source: "api",
			Actions: api.Actions{Event: &api.ChannelEvent{Channel: "a", Type: "b"}},
		}}},
	}
}

func (s *someGauges) Set(name string, value *float64, ttl time.Duration) (api.Gauge, error) {
	if name == "cpu" {
		return api.Gauge{}, &api.Error{Code: api.Refused, Detail: "the machine's"}
	}
	s.ttl = ttl
	if value == nil {
		delete(s.set, name)
	} else {
		s.set[name] = *value
	}
	return api.Gauge{Name: name, Value: value, Thresholds: []api.Threshold{}}, nil
}

func (s *someGauges) Watch(name string, n api.NewThreshold) (api.Threshold, error) {
	s.watched = n
	return api.Threshold{ID: "t2", Gauge: name, Condition: n.Condition, Actions: n.Actions}, nil
}

func (s *someGauges) Unwatch(name, id string) error {
	if name != "disk.used{item=/data}" || id != "t1" {
		return &api.Error{Code: api.NotFound, Detail: "no such threshold"}
	}
	return nil
}

func gaugeHandler() (*someGauges, http.Handler) {
	g := &someGauges{set: make(map[string]float64)}
	return g, serving(api.Config{Gauges: g})
}

func send(h http.Handler, method, target, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestGaugeRequests(t *testing.T) {
	for _, tt := range []struct {
		method, target, body string
		status               int
		want                 string
	}{
		{"GET", "/v1/gauges", "", 200, `"name": "cpu"`},
		{"GET", "/v1/gauges/cpu", "", 200, `"value": 0.5`},
		{"GET", "/v1/gauges/disk.used%7Bitem=%2Fdata%7D", "", 200, `"expires_ms": 1500`},
		{"GET", "/v1/gauges/disk.used%7Bitem=%2Fdata%7D/thresholds", "", 200, `"id": "t1"`},
		{"GET", "/v1/gauges/cpu/thresholds", "", 200, `"items": []`},
		{"GET", "/v1/gauges/gpu", "", 404, `"code": "not_found"`},
		{"GET", "/v1/gauges/gpu/thresholds", "", 404, `"code": "not_found"`},
		{"PUT", "/v1/gauges/app.q", `{"value": 3}`, 200, `"value": 3`},
		{"PUT", "/v1/gauges/app.q", `{"value": null}`, 200, `"value": null`},
		{"PUT", "/v1/gauges/cpu", `{"value": 3}`, 409, `"code": "refused"`},
		{"PUT", "/v1/gauges/app.q", ``, 400, `"code": "usage"`},
		{"PUT", "/v1/gauges/app.q", `{`, 400, `"code": "usage"`},
		{"PUT", "/v1/gauges/app.q", `{"value": 1e999}`, 400, `"code": "usage"`},
		{"PUT", "/v1/gauges/app.q", `3`, 422, "body: expected object"},
		{"PUT", "/v1/gauges/app.q", `{}`, 422, "value to be present"},
		{"PUT", "/v1/gauges/app.q", `{"value": "3"}`, 422, "body.value: expected number"},
		{"PUT", "/v1/gauges/app.q", `{"value": 3, "tll": "1s"}`, 422, "body.tll: unexpected"},
		{"PUT", "/v1/gauges/app.q", `{"value": 3, "ttl": 30}`, 422, "body.ttl: expected string"},
		{"PUT", "/v1/gauges/app.q", `{"value": 3, "ttl": "30"}`, 422, "body.ttl: \\\"30\\\" is not a duration from 1s to 24h0m0s"},
		{"PUT", "/v1/gauges/app.q", `{"value": 3, "ttl": "25h"}`, 422, "body.ttl"},
		{"PUT", "/v1/gauges/" + strings.Repeat("x", 513), `{"value": 3}`, 422, "path.name"},
		{"POST", "/v1/gauges/cpu/thresholds", `{"condition": "cpu > 1", "event": {"channel": "a", "type": "b"}}`, 201, `"id": "t2"`},
		{"POST", "/v1/gauges/cpu/thresholds", `{"condition": "cpu > 1", "event": {"channel": "a"}}`, 422, "body.event: expected required property type"},
		{"POST", "/v1/gauges/cpu/thresholds", `{"condition": ""}`, 422, "body.condition: expected length"},
		{"POST", "/v1/gauges/cpu/thresholds", `{"condition": "cpu > 1", "overflow": "yes"}`, 422, "body.overflow: expected boolean"},
		{"DELETE", "/v1/gauges/disk.used%7Bitem=%2Fdata%7D/thresholds/t1", "", 204, ""},
		{"DELETE", "/v1/gauges/cpu/thresholds/t1", "", 404, `"code": "not_found"`},
		{"DELETE", "/v1/gauges/cpu", "", 405, `"code": "method_not_allowed"`},
	} {
		_, h := gaugeHandler()
		w := send(h, tt.method, tt.target, tt.body)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s %.60s %s: %d %s, want %d and %s", tt.method, tt.target, tt.body, w.Code, w.Body, tt.status, tt.want)
		}
		if w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: Content-Type %q", tt.method, tt.target, w.Header().Get("Content-Type"))
		}
	}
	_, h := gaugeHandler()
	if got := send(h, "DELETE", "/v1/gauges/cpu", "").Header().Get("Allow"); got != "GET, HEAD, PUT" {
		t.Errorf("Allow: %q", got)
	}
	r := httptest.NewRequest("PUT", "/v1/gauges/app.q", strings.NewReader("value=3"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != 415 || !strings.Contains(w.Body.String(), `"code": "not_json"`) || !strings.Contains(w.Body.String(), "want Content-Type: application/json") {
		t.Errorf("a form: %d %s", w.Code, w.Body)
	}
}

func TestClientOfGauges(t *testing.T) {
	g, h := gaugeHandler()
	server := httptest.NewServer(h)
	defer server.Close()
	c, ctx := client(t, server.URL), t.Context()
	all, err := c.Gauges(ctx)
	if d := cmp.Diff(g.Gauges(), all); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
	seven := 7.0
	if set, err := c.SetGauge(ctx, "d{item=/a b%}", api.GaugeValue{Value: &seven, TTL: "5s"}); err != nil || set.Name != "d{item=/a b%}" || g.set[set.Name] != 7 || g.ttl != 5*time.Second {
		t.Errorf("%+v %v, set %v for %v", set, err, g.set, g.ttl)
	}
	_, err = c.SetGauge(ctx, "cpu", api.GaugeValue{Value: &seven})
	checkError(t, err, api.Refused, "the machine's")
	want := api.NewThreshold{Condition: "cpu > 1", Actions: api.Actions{Overflow: true, Webhook: "https://h/x"}}
	if set, err := c.Watch(ctx, want); err != nil || set.ID != "t2" || !set.Overflow {
		t.Errorf("%+v %v", set, err)
	}
	_, err = c.Watch(ctx, api.NewThreshold{Condition: "cpu >"})
	checkError(t, err, api.Usage, "column 6")
	if d := cmp.Diff(want, g.watched); d != "" {
		t.Error(d)
	}
	if err := c.Unwatch(ctx, "disk.used{item=/data}", "t1"); err != nil {
		t.Error(err)
	}
	checkError(t, c.Unwatch(ctx, "cpu", "t1"), api.NotFound, "no such threshold")
}

func TestParseThreshold(t *testing.T) {
	for text, want := range map[string]api.NewThreshold{
		"cpu > 1":                           {Condition: "cpu > 1"},
		" cpu > 1 cancel < 0.5 do overflow": {Condition: "cpu > 1 cancel < 0.5", Actions: api.Actions{Overflow: true}},
		"cpu > 1 do webhook=https://h/x?a=b/c,d  event=al/er/ts": {Condition: "cpu > 1", Actions: api.Actions{
			Webhook: "https://h/x?a=b/c,d", Event: &api.ChannelEvent{Channel: "al", Type: "er/ts"},
		}},
	} {
		got, err := api.ParseThreshold(text)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v %s", text, err, d)
		}
		if actions := got.Actions.String(); actions != "" {
			again, err := api.ParseThreshold(got.Condition + " do " + actions)
			if d := cmp.Diff(want, again); err != nil || d != "" {
				t.Errorf("%s: written with %s: %v %s", text, actions, err, d)
			}
		}
	}
	for _, text := range []string{"cpu > 1 do page", "cpu > 1 do event=alerts", "cpu > 1 do event=/x", "cpu > 1 do webhook=", "cpu > 1 do overflow=1"} {
		if _, err := api.ParseThreshold(text); api.ExitCode(err) != 2 {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What is sent of a threshold is a promise to its receivers.
func TestCrossingAsJSON(t *testing.T) {
	text, err := json.Marshal(api.Crossing{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)})
	want := `{"threshold":"","sequence":0,"node":"","gauge":"","statistic":"","condition":"","raised":false,"value":null,"time":"2026-01-02T03:04:05Z"}`
	if err != nil || string(text) != want {
		t.Errorf("%v %s", err, text)
	}
}
