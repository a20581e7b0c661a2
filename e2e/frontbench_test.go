package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"kecho/cmd/kecho-lab/live"
)

// TestBenchFront runs each part of bench front for a second and holds that each
// has measured something; how much is no test's matter.
func TestBenchFront(t *testing.T) {
	needTool(t, "haproxy", "haproxy")
	needTool(t, "nginx", "nginx")
	p := start(t, loopback(), "kecho-lab", lab(t), "bench", "front", "--seconds", "1", "--idle", "100", "--mib", "8", "--rate", "200", "--connections", "8", "-o", "json")
	if code := p.wait(t, 2*settlePatience); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	_, text, _ := strings.Cut(p.out.String(), "\n{") // what is before are notes
	var res live.FrontsResult
	if err := json.NewDecoder(strings.NewReader("{" + text)).Decode(&res); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, r := range res.CPU {
		names[r.Name] = true
		if r.Requests == 0 || r.CPU == 0 || r.HAProxy.Ratio == 0 || r.Reverse.Ratio == 0 {
			t.Errorf("%+v: nothing was measured", r)
		}
	}
	for _, name := range []string{"kecho", "haproxy", "nginx", "ReverseProxy", "relay"} {
		if !names[name] {
			t.Errorf("%s was not measured", name)
		}
	}
	for _, r := range res.Latency {
		if r.Requests == 0 || r.P50 == 0 || r.P99 < r.P50 {
			t.Errorf("%+v: nothing was measured", r)
		}
	}
	for _, r := range res.Idle {
		if r.Idle != 100 || r.Lost != 0 || r.Throughput.Ratio == 0 {
			t.Errorf("%+v: connections are lost, or nothing was measured", r)
		}
	}
	for _, r := range res.Bytes {
		if r.CPU == 0 || r.Relay.Ratio == 0 {
			t.Errorf("%+v: nothing was measured", r)
		}
	}
	if f := res.Forwarded; f == nil || f.Requests == 0 || f.X.Ratio == 0 {
		t.Errorf("%+v: nothing was forwarded", f)
	}
	if m := res.Middleware; m == nil || m.Nanoseconds == 0 || m.Allocations != 0 && !raceDetector {
		t.Errorf("%+v: nothing was measured, or memory is needed", m)
	}
	if len(res.Latency) < 5 || len(res.Idle) < 1 || len(res.Bytes) < 6 {
		t.Errorf("%+v: contenders are missing", res)
	}
}
