package live

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// ask has a worker of h's node 0 do what a client asks for.
func (h *hosts) ask(ctx context.Context, request, work string) bool {
	r := httptest.NewRequestWithContext(ctx, "POST", "/", nil)
	r.Header.Set(requestHeader, request)
	r.Header.Set(workHeader, work)
	return h.work(0, r)
}

func newHosts(t *testing.T, burn bool) *hosts {
	h := &hosts{cfg: HostConfig{Nodes: 1, Workers: 1, Burn: burn}}
	if err := h.wind(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { (<-h.alarms[0]).Close() })
	return h
}

func TestWorkIsNoted(t *testing.T) {
	for _, burn := range []bool{false, true} {
		h := newHosts(t, burn)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if !h.ask(t.Context(), "7", "1000") || h.ask(gone, "8", "3600000000000") || !h.ask(t.Context(), "9", "1000") || !h.ask(t.Context(), "x", "y") {
			t.Errorf("burn %v: the one whose client is gone is not done, and the others are: %+v", burn, h.ran)
		}
		if len(h.ran) != 3 || h.running != 0 {
			t.Fatalf("burn %v: %+v, %d running; want three, and not what is not of the bench", burn, h.ran, h.running)
		}
		if e := h.ran[0]; e.Request != 7 || e.Asked != time.Microsecond || e.Took < e.Asked || !e.Done {
			t.Errorf("burn %v: %+v", burn, e)
		}
		if e := h.ran[1]; e.Request != 8 || e.Done || e.Took > time.Minute {
			t.Errorf("burn %v: %+v, want it cut short", burn, e)
		}
	}
}

func TestExecutionsAndCommands(t *testing.T) {
	h := newHosts(t, false)
	h.servers, h.at = make([]*http.Server, 1), make([]string, 1)
	h.ask(t.Context(), "1", "1000")
	w := httptest.NewRecorder()
	h.serveExecutions(w, nil)
	var all executions
	if err := json.Unmarshal(w.Body.Bytes(), &all); err != nil || len(all.Ran) != 1 || !all.Ran[0].Done {
		t.Errorf("%v: %s", err, w.Body)
	}
	for node, want := range map[string]string{"0": "host 0 is down", "1": "no such host", "-1": "no such host", "x": "no such host"} {
		r, w := httptest.NewRequest("POST", "/down/"+node, nil), httptest.NewRecorder()
		r.SetPathValue("node", node)
		if h.change(h.down)(w, r); w.Code < 400 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("down %s: %d %s", node, w.Code, w.Body)
		}
	}
}
