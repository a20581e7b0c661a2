package agent_test

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent"
	"kecho/agent/agenttest"
)

// exchange is one request of every kind that there is, in an order in which all
// find something, and the status of its answer.
type exchange struct {
	what   string // method and path
	body   string
	status int
	header []string
}

const (
	aLease    = `{"holder": "me", "needs": "gpu=1", "nodes": 1}`
	anEvent   = `{"specversion": "1.0", "id": "1", "source": "/a", "type": "order", "data": {"x": 1}}`
	aFilter   = `{"kind": "expression", "source": "type != \"noise\""}`
	aTrial    = `{"direction": "out", "filter": ` + aFilter + `, "event": {"type": "job"}, "sinks": [{"local": true}]}`
	news      = "/v1/channels/news"
	threshold = "/v1/gauges/app.queue/thresholds"
)

var structured = []string{"Content-Type", "application/cloudevents+json"}

var exchanges = []exchange{
	{what: "GET /v1/node", status: 200},
	{what: "GET /v1/members", status: 200},
	{what: "GET /v1/gateway", status: 200},
	{what: "PUT /v1/gauges/app.queue", body: `{"value": 12, "ttl": "30s"}`, status: 200},
	{what: "POST " + threshold, body: `{"condition": "app.queue > 10 cancel < 2"}`, status: 201},
	{what: "GET " + threshold, status: 200},
	{what: "GET /v1/gauges/app.queue", status: 200},
	{what: "GET /v1/gauges", status: 200},
	{what: "DELETE " + threshold + "/t1", status: 204},
	{what: "PUT " + news, status: 201},
	{what: "PUT " + news, status: 200},
	{what: "POST " + news + "/events", body: anEvent, header: structured, status: 202},
	{what: "GET " + news + "/events?wait=10s", status: 200},
	{what: "GET " + news + "/events?after=0-0", status: 200},
	{what: "POST " + news + "/requests?timeout=100ms", body: anEvent, header: structured, status: 200},
	{what: "PUT " + news + "/filters/out", body: aFilter, status: 200},
	{what: "GET " + news + "/filters/out", status: 200},
	{what: "GET /v1/filters", status: 200},
	{what: "GET /v1/filters/stock", status: 200},
	{what: "POST /v1/filters/test", body: aTrial, status: 200},
	{what: "POST " + news + "/events", body: anEvent, header: structured, status: 202},
	{what: "GET " + news, status: 200},
	{what: "GET /v1/channels", status: 200},
	{what: "GET " + news + "/stream", header: []string{
		"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "a2VjaG8ga2VjaG8ga2VjaA==",
	}, status: 101},
	{what: "DELETE " + news + "/filters/out", status: 204},
	{what: "DELETE " + news, status: 204},
	{what: "POST /v1/leases?dry_run=true", body: aLease, status: 200},
	{what: "POST /v1/leases", body: aLease, status: 201},
	{what: "POST /v1/leases", body: `{"holder": "me", "needs": "gpu=400", "nodes": 1}`, status: 409}, // with reasons
	{what: "GET /v1/leases", status: 200},
	{what: "GET /v1/leases/LEASE", status: 200},
	{what: "PUT /v1/leases/LEASE/renewal", body: `{"holder": "me"}`, status: 200},
	{what: "POST /v1/leases/LEASE/renewal", body: `{"holder": "me"}`, status: 200},
	{what: "GET /v1/events", status: 200},
	{what: "GET /v1/events?after=0-0", status: 200},
	{what: "DELETE /v1/leases/LEASE?holder=me", status: 204},
	{what: "PUT /v1/group", body: `{"joined": true}`, status: 200},
}

// TestOpenAPI has a gateway, which has all there is, answer each request that
// its document describes, well and with a parameter that nobody knows, and holds
// the answers against the document.
func TestOpenAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := eastAndWest(t, 1, func(cfg *agent.Config) { cfg.Resources = []string{"none", "gpu=4"} })
		open(t, c.Nodes[2], "news")
		agenttest.WaitFor(t, "the gateway has what is wanted there", func() bool {
			g, err := c.Nodes[4].API(t).Gateway(t.Context())
			return err == nil && g.Linked > 0 && len(g.Flows) > 0 && len(g.Flows[0].Wanted) > 0
		})
		time.Sleep(2 * time.Second) // until leases are granted
		w := &witness{
			t: t, base: "http://" + c.Nodes[4].At.Admin, seen: make(map[string][]string),
			client: &http.Client{Transport: &http.Transport{DialContext: c.Net.Host("10.0.0.5").Dial, DisableKeepAlives: true}},
		}
		if err := json.Unmarshal(w.text("/openapi.json"), &w.doc); err != nil {
			t.Fatal(err)
		}
		for _, x := range exchanges {
			w.exchange(x)
		}
		for path, methods := range w.doc.Paths {
			for method, op := range methods {
				w.exchange(exchange{what: strings.ToUpper(method) + " " + concrete(path) + "?no_such=1", status: 422, body: "{}"})
				for status := range op.Responses {
					if !slices.Contains(w.seen[op.OperationID], status) && status != "default" {
						t.Errorf("%s is said to answer with %s: no exchange has it", op.OperationID, status)
					}
				}
			}
		}
	})
}

// concrete is a path with something for each of its parameters.
func concrete(path string) string {
	return strings.NewReplacer("{channel}", "news", "{direction}", "in", "{name}", "app.queue", "{id}", "1").Replace(path)
}

// witness asks one agent and looks at what it answers.
type witness struct {
	t      *testing.T
	base   string
	client *http.Client
	doc    openAPI
	seen   map[string][]string // statuses, by the operation's id
	lease  string              // the id of the one that was granted
}

func (w *witness) text(path string) []byte {
	w.t.Helper()
	res, err := w.client.Get(w.base + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// exchange makes one and checks its answer.
func (w *witness) exchange(x exchange) {
	w.t.Helper()
	x.what = strings.ReplaceAll(x.what, "LEASE", w.lease)
	method, target, _ := strings.Cut(x.what, " ")
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.base+target, strings.NewReader(x.body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(x.header); i += 2 {
		r.Header.Set(x.header[i], x.header[i+1])
	}
	res, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	op, ok := w.operation(method, r.URL.Path)
	if !ok {
		w.t.Errorf("%s is not described", x.what)
		return
	}
	if res.StatusCode != x.status {
		text, _ := io.ReadAll(res.Body)
		w.t.Errorf("%s: %d %s, want %d", x.what, res.StatusCode, text, x.status)
		return
	}
	status := strconv.Itoa(x.status)
	w.seen[op.OperationID] = append(w.seen[op.OperationID], status)
	said, ok := op.Responses[status]
	if !ok {
		if said = op.Responses["default"]; x.status < 400 {
			w.t.Errorf("%s: the answer %d is not described", x.what, x.status)
		}
	}
	if x.status == http.StatusSwitchingProtocols {
		return
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Errorf("%s: %v", x.what, err)
		return
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if len(text) == 0 && len(said.Content) == 0 {
		return
	}
	form, ok := said.Content[kind]
	if !ok || form.Schema == nil {
		w.t.Errorf("%s: an answer of %q is not described", x.what, kind)
		return
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		w.t.Errorf("%s: %v in %s", x.what, err, text)
		return
	}
	if wrong := w.doc.check(form.Schema, v, "the answer"); wrong != "" {
		w.t.Errorf("%s: %s", x.what, wrong)
	}
	if x.status == http.StatusCreated && strings.HasSuffix(target, "/leases") {
		w.lease = v.(map[string]any)["leases"].([]any)[0].(map[string]any)["id"].(string)
	}
}

// operation is what the document says of a method of a path.
func (w *witness) operation(method, path string) (operation, bool) {
	parts := strings.Split(path, "/")
	var best operation
	found := false
	for template, methods := range w.doc.Paths {
		words := strings.Split(template, "/")
		fits := len(words) == len(parts)
		for i := 0; fits && i < len(words); i++ {
			fits = words[i] == parts[i] || strings.HasPrefix(words[i], "{")
		}
		if op, ok := methods[strings.ToLower(method)]; fits && ok && (!found || !strings.Contains(template, "{")) {
			best, found = op, true
		}
	}
	return best, found
}
