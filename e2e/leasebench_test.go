package e2e

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"kecho/cmd/kecho-lab/live"
)

// benchLease takes leases for a second and is what came of it. Its journals are
// in a directory of the test, which it leaves empty.
func benchLease(t *testing.T, flags ...string) live.LeaseResult {
	t.Helper()
	dir := t.TempDir()
	args := append([]string{lab(t), "bench", "lease", "--seconds", "1", "--dir", dir, "-o", "json"}, flags...)
	p := start(t, loopback(), "kecho-lab", args...)
	if code := p.wait(t, settlePatience); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v in its directory, %v", left, err)
	}
	_, text, _ := strings.Cut(p.out.String(), "\n{") // what is before are notes
	var res live.LeaseResult
	if err := json.Unmarshal([]byte("{"+text), &res); err != nil {
		t.Fatal(err)
	}
	return res
}

func TestBenchLease(t *testing.T) {
	res := benchLease(t, "--nodes", "1", "--clients", "1,4", "--fill", "200")
	if len(res.Runs) != 2 || res.Runs[1].Clients != 4 || len(res.Fills) != 1 {
		t.Fatalf("%+v: want a run for each number of clients, and one agent filled", res)
	}
	for _, r := range res.Runs {
		if len(r.Took) != 1 || r.Took[0].Leases == 0 || r.Took[0].P50 == 0 || r.Took[0].CPU == 0 || r.Sync.P50 == 0 {
			t.Errorf("%+v: nothing was measured", r)
		}
	}
	if f := res.Fills[0]; f.Leases != 200 || f.Before == 0 || f.After == 0 || f.Restart == 0 || f.Empty == 0 {
		t.Errorf("%+v: nothing was measured", f)
	}
}

func TestBenchLeaseBesideEtcd(t *testing.T) {
	needTool(t, "etcd", "etcd-server")
	res := benchLease(t, "--nodes", "2", "--managers", "1", "--members", "1", "--fill", "50", "--etcd")
	if len(res.Runs) != 1 || len(res.Runs[0].Took) != 2 || len(res.Fills) != 2 {
		t.Fatalf("%+v: want agents and etcd", res)
	}
	for _, took := range res.Runs[0].Took {
		if took.Leases == 0 || took.P50 == 0 || took.Ratio == 0 {
			t.Errorf("%+v: nothing was measured", took)
		}
	}
	if f := res.Fills[1]; f.Name != "etcd-1" || f.Restart == 0 {
		t.Errorf("%+v: nothing was measured", f)
	}
}
