package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kecho/agent/api"
)

func someNode() api.Node {
	cpu := 0.25
	return api.Node{
		Name: "web1", ID: "00000000000000ab", Cluster: "kecho", Version: "v1",
		Started:   time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		State:     api.Ready,
		Addresses: api.Addresses{HTTP: "127.0.0.1:8080"},
		Upstream:  api.Upstream{URL: "http://127.0.0.1:9000", Up: true},
		Limits:    api.Limits{Soft: 8, Hard: 32, Queue: 128},
		Load:      api.Load{Running: 2, Queued: 1, Load: 0.375, CPU: &cpu},
		Counters:  map[string]int64{"requests_local": 7},
	}
}

func someMembers() []api.Member {
	heard := 12.5
	return []api.Member{
		{Name: "web1", Self: true, Status: "alive"},
		{Name: "web2", Status: "alive", Link: &api.Link{Up: true, RTT: 0.2}, Heard: &heard},
	}
}

func handler(checks ...api.Check) http.Handler {
	return api.NewHandler(api.Config{
		Node:    someNode,
		Members: someMembers,
		Ready:   func() []api.Check { return checks },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "metrics here\n") }),
	})
}

// serving is a handler with cfg and what every handler must have.
func serving(cfg api.Config) http.Handler {
	cfg.Node, cfg.Members, cfg.Ready = someNode, someMembers, func() []api.Check { return nil }
	return api.NewHandler(cfg)
}

func ask(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestProbes(t *testing.T) {
	well := api.Check{Name: "http", OK: true, Detail: "127.0.0.1:8080"}
	ill := api.Check{Name: "upstream", Detail: "connection refused"}
	for _, tt := range []struct {
		target string
		checks []api.Check
		status int
		body   string
	}{
		{"/livez", []api.Check{ill}, 200, "ok\n"},
		{"/readyz", []api.Check{well}, 200, "ready\n"},
		{"/readyz", nil, 200, "ready\n"},
		{"/readyz?verbose", []api.Check{well}, 200, "[+]http 127.0.0.1:8080\nready\n"},
		{"/readyz", []api.Check{well, ill}, 503, "[-]upstream connection refused\nnot ready\n"},
		{"/readyz?verbose", []api.Check{well, ill}, 503, "[+]http 127.0.0.1:8080\n[-]upstream connection refused\nnot ready\n"},
		{"/metrics", nil, 200, "metrics here\n"},
	} {
		w := ask(handler(tt.checks...), "GET", tt.target)
		if w.Code != tt.status || w.Body.String() != tt.body {
			t.Errorf("%s: %d %q, want %d %q", tt.target, w.Code, w.Body, tt.status, tt.body)
		}
	}
}

func TestProblems(t *testing.T) {
	for _, tt := range []struct {
		method, target string
		want           api.Problem
	}{
		{"GET", "/v1/nodes", api.Problem{Status: 404, Title: "Not Found", Code: api.NotFound}},
		{"GET", "/v1/node/", api.Problem{Status: 404, Title: "Not Found", Code: api.NotFound}},
		{"POST", "/v1/node", api.Problem{Status: 405, Title: "Method Not Allowed", Code: api.NotAllowed}},
		{"DELETE", "/livez", api.Problem{Status: 405, Title: "Method Not Allowed", Code: api.NotAllowed}},
	} {
		w := ask(handler(), tt.method, tt.target)
		var got api.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Errorf("%s %s: %v in %q", tt.method, tt.target, err, w.Body)
			continue
		}
		if got.Detail == "" || got.Type != "about:blank" || w.Code != got.Status {
			t.Errorf("%s %s: status %d with %+v", tt.method, tt.target, w.Code, got)
		}
		got.Detail, got.Type = "", ""
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s %s: %s", tt.method, tt.target, d)
		}
		if kind := w.Header().Get("Content-Type"); kind != "application/problem+json" {
			t.Errorf("%s %s: Content-Type %q", tt.method, tt.target, kind)
		}
	}
	if allow := ask(handler(), "PUT", "/v1/members").Header().Get("Allow"); allow != "GET, HEAD" {
		t.Errorf("Allow: %q", allow)
	}
}

// What a request brings is bounded before anybody looks at it, and no other
// site's page writes.
func TestGuard(t *testing.T) {
	send := func(body string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/v1/node", strings.NewReader(body))
		for i := 0; i+1 < len(header); i += 2 {
			if header[i] == "Host" {
				r.Host = header[i+1]
			}
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		handler().ServeHTTP(w, r)
		return w
	}
	nested := func(n int) string { return strings.Repeat(`[`, n) + strings.Repeat(`]`, n) }
	for _, tt := range []struct {
		name, body string
		header     []string
		status     int
		code       api.Code
	}{
		{"64 KiB", strings.Repeat(" ", 64<<10), nil, 405, api.NotAllowed},
		{"more", strings.Repeat(" ", 64<<10+1), nil, 413, api.TooLarge},
		{"16 levels", nested(16), nil, 405, api.NotAllowed},
		{"more", nested(17), nil, 422, api.Invalid},
		{"quoted brackets", `"` + nested(17) + `\"` + nested(17) + `"`, nil, 405, api.NotAllowed},
		{"a quote that ends", `"a\\"` + nested(17), nil, 422, api.Invalid},
		{"another site", "{}", []string{"Sec-Fetch-Site", "cross-site"}, 403, api.Forbidden},
		{"another origin", "{}", []string{"Origin", "http://evil.test"}, 403, api.Forbidden},
		{"our own page", "{}", []string{"Sec-Fetch-Site", "same-origin", "Host", "127.0.0.1:7940"}, 405, api.NotAllowed},
		{"at localhost", "{}", []string{"Sec-Fetch-Site", "same-origin", "Host", "localhost:7940"}, 405, api.NotAllowed},
		{"of IPv6", "{}", []string{"Origin", "http://[::1]:7940", "Host", "[::1]:7940"}, 405, api.NotAllowed},
		{"without a port", "{}", []string{"Origin", "http://[::1]", "Host", "[::1]"}, 405, api.NotAllowed},
		{"a name that points here now", "{}", []string{"Sec-Fetch-Site", "same-origin", "Host", "evil.test:7940"}, 403, api.Forbidden},
		{"the same of an old browser", "{}", []string{"Origin", "http://evil.test:7940", "Host", "evil.test:7940"}, 403, api.Forbidden},
		{"a program at a name", "{}", []string{"Host", "web1.example:7940"}, 405, api.NotAllowed},
	} {
		w := send(tt.body, tt.header...)
		var p api.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != tt.status || p.Code != tt.code {
			t.Errorf("%s: %d %s, want %d and %s (%v)", tt.name, w.Code, w.Body, tt.status, tt.code, err)
		}
	}
}

func TestOpenAPI(t *testing.T) {
	var d struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			OperationID string                     `json:"operationId"`
			Responses   map[string]json.RawMessage `json:"responses"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
	}
	w := ask(handler(), "GET", "/openapi.json")
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || d.OpenAPI == "" {
		t.Fatalf("%v in %s", err, w.Body)
	}
	for path, methods := range d.Paths {
		for method, op := range methods {
			if op.OperationID == "" || !strings.Contains(string(op.Responses["default"]), "#/components/schemas/Problem") {
				t.Errorf("%s %s: %+v", method, path, op)
			}
		}
	}
	if d.Paths["/v1/members"]["get"].OperationID != "members" || d.Components.Schemas["Problem"] == nil {
		t.Errorf("not described: %s", w.Body)
	}
	if d.Components.Schemas["ErrorModel"] != nil {
		t.Error("another kind of error than ours is described")
	}
}

// A parameter that no endpoint reads is a mistake, and is named.
func TestUnknownParameter(t *testing.T) {
	w := ask(handler(), "GET", "/v1/members?nmae=web1")
	if w.Code != 422 || !strings.Contains(w.Body.String(), "query.nmae: unknown") || !strings.Contains(w.Body.String(), `"code": "invalid"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// The API's field names are a promise; a renamed Go field must not break it.
func TestNodeAsJSON(t *testing.T) {
	got := ask(handler(), "GET", "/v1/node").Body.String()
	for _, want := range []string{
		`"name": "web1"`, `"id": "00000000000000ab"`, `"cluster": "kecho"`, `"version": "v1"`,
		`"started": "2026-01-02T03:04:05Z"`, `"state": "ready"`, `"http": "127.0.0.1:8080"`,
		`"admin": ""`, `"gossip": ""`, `"link": ""`, `"socket": ""`, `"agent_check": ""`, `"url": "http://127.0.0.1:9000"`, `"up": true`,
		`"soft": 8`, `"hard": 32`, `"queue": 128`, `"running": 2`, `"queued": 1`, `"load": 0.375`,
		`"cpu": 0.25`, `"memory": null`, `"requests_local": 7`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

func TestMembersAsJSON(t *testing.T) {
	got := ask(handler(), "GET", "/v1/members").Body.String()
	for _, want := range []string{
		`"items": [`, `"next": ""`, `"self": true`, `"link": null`, `"rtt_ms": 0.2`,
		`"heard_ms": 12.5`, `"heard_ms": null`, `"since": null`, `"last_error": ""`, `"capacity": 0`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	none := api.NewHandler(api.Config{
		Node: someNode, Ready: func() []api.Check { return nil },
		Members: func() []api.Member { return nil },
	})
	if got := ask(none, "GET", "/v1/members").Body.String(); !strings.Contains(got, `"items": []`) {
		t.Errorf("no members: %s", got)
	}
	if w := ask(none, "GET", "/metrics"); w.Code != 404 {
		t.Errorf("/metrics without metrics: %d", w.Code)
	}
}
