package main

import (
	"bytes"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kecho/agent/api"
)

// agentOf serves what an agent would; it returns its address.
func agentOf(t *testing.T, cfg api.Config) string {
	t.Helper()
	if cfg.Node == nil {
		cfg.Node = func() api.Node { return api.Node{} }
	}
	if cfg.Members == nil {
		cfg.Members = func() []api.Member { return nil }
	}
	if cfg.Ready == nil {
		cfg.Ready = func() []api.Check { return nil }
	}
	server := httptest.NewServer(api.NewHandler(cfg))
	t.Cleanup(server.Close)
	return server.URL
}

// kecho runs the command in this process.
func kecho(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), append([]string{"kecho"}, args...), &out, &err)
	return code, out.String(), err.String()
}

func ptr[T any](v T) *T { return &v }

func TestMembersTable(t *testing.T) {
	addr := agentOf(t, api.Config{Members: func() []api.Member {
		return []api.Member{
			{Name: "web4", Status: "failed", Address: "10.0.0.4:7946", Link: &api.Link{LastError: "dial: \x1b[31mrefused"}},
			{Name: "web1", Status: "alive", Address: "10.0.0.1:7946", Self: true, Load: ptr(0.5), Capacity: 8},
			{Name: "web2", Status: "alive", Address: "10.0.0.2:7946", Link: &api.Link{Up: true, RTT: 0.234}, Load: ptr(1.25), Capacity: 16, Heard: ptr(420.0)},
			{Name: "web3", Status: "alive", Address: "10.0.0.3:7946", Draining: true, Link: &api.Link{Up: true, RTT: 12}, Load: ptr(0.0), Capacity: 8, Heard: ptr(72500.0)},
		}
	}})
	want := `
NAME  STATUS    LINK      RTT  LOAD  CAPACITY  HEARD  ADDRESS
web1  alive     self        -  0.50         8      -  10.0.0.1:7946
web2  alive     up     0.2 ms  1.25        16  0.4 s  10.0.0.2:7946
web3  draining  up    12.0 ms  0.00         8  1m13s  10.0.0.3:7946
web4  failed    down        -     -         -      -  10.0.0.4:7946  dial: ?[31mrefused
`
	code, out, errs := kecho(t, "members", "--api", addr)
	if d := cmp.Diff(want, "\n"+out); d != "" || code != 0 || errs != "" {
		t.Errorf("exit %d, stderr %q, %s", code, errs, d)
	}
}

func TestMembersAsJSON(t *testing.T) {
	addr := agentOf(t, api.Config{})
	code, out, _ := kecho(t, "members", "--api", addr, "-o", "json")
	if want := "{\n  \"items\": [],\n  \"next\": \"\"\n}\n"; code != 0 || out != want {
		t.Errorf("exit %d, %q", code, out)
	}
}

func TestHeard(t *testing.T) {
	for ms, want := range map[float64]string{0: "0.0 s", 9900: "9.9 s", 61_000: "1m1s"} {
		if got := heard(&ms).text; got != want {
			t.Errorf("%v: %q, want %q", time.Duration(ms)*time.Millisecond, got, want)
		}
	}
}
