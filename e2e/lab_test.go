package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"kecho/cmd/kecho-lab/live"
)

// lab is the path of kecho-lab, built at its first use beside the kecho that
// it measures.
func lab(t testing.TB) string {
	t.Helper()
	kecho(t)
	file, err := buildLabOnce()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

var buildLabOnce = sync.OnceValues(func() (string, error) {
	file := filepath.Join(builds, "kecho-lab")
	args := []string{"build", "-o", file}
	if raceDetector {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, modulePath+"/cmd/kecho-lab")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build kecho-lab: %w\n%s", err, out)
	}
	return file, nil
})

// bench runs a small cluster of two and is what came of it.
func bench(t *testing.T, flags ...string) []live.Result {
	t.Helper()
	args := append([]string{lab(t), "bench", "cluster", "--nodes", "2", "--seconds", "2", "-o", "json"}, flags...)
	p := start(t, loopback(), "kecho-lab", args...)
	if code := p.wait(t, settlePatience); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	_, text, _ := strings.Cut(p.out.String(), "\n[") // what is before are notes
	var results []live.Result
	if err := json.Unmarshal([]byte("["+text), &results); err != nil {
		t.Fatal(err)
	}
	return results
}

func TestBenchCluster(t *testing.T) {
	results := bench(t, "--policy", "auto,none", "--scenario", "uniform-.5,paper-50", "--places", "2")
	if len(results) != 4 {
		t.Fatalf("%d results, want one for each scenario and policy", len(results))
	}
	for _, r := range results {
		what := r.Scenario + ", " + r.Policy
		if r.Requests < 20 || r.Central.P99 == 0 || r.JSQ.P99 == 0 {
			t.Errorf("%s: %d requests, %+v, %+v: nothing was measured", what, r.Requests, r.Central, r.JSQ)
		}
		if r.Twice != 0 || r.Wasted != 0 || r.Failed != 0 || r.Lost != 0 {
			t.Errorf("%s: %d twice, %d wasted, %d lost, %v failed", what, r.Twice, r.Wasted, r.Lost, r.Failed)
		}
		if alone := r.Policy == "none"; alone != (r.Moved == 0) && r.Scenario == "paper-50" {
			t.Errorf("%s: %v of the executions were at another node", what, r.Moved)
		}
		// What few requests cost may be lost in what rest does.
		if r.Executions == 0 || r.FrontCPU == 0 && r.FrontRest == 0 {
			t.Errorf("%s: %d executions, agents' CPU time %v and %v", what, r.Executions, r.FrontCPU, r.FrontRest)
		}
	}
	// Both policies were asked the same.
	if a, b := results[0], results[1]; a.Requests != b.Requests || a.Central != b.Central {
		t.Errorf("%d and %d requests, %+v and %+v: want the same", a.Requests, b.Requests, a.Central, b.Central)
	}
}

func TestBenchKillsNodes(t *testing.T) {
	r := bench(t, "--kill", "--scenario", "uniform-.5", "--seconds", "4")[0]
	if r.Twice != 0 || r.Executions == 0 || !r.Kill {
		t.Errorf("%+v: want nothing executed twice, though nodes were killed", r)
	}
	if lost := 1 - r.Failed - r.Refused - r.Late; lost < .5 {
		t.Errorf("%+v: want most requests answered", r)
	}
}

func TestBenchHAProxy(t *testing.T) {
	needTool(t, "haproxy", "haproxy")
	r := bench(t, "--policy", "haproxy", "--places", "2")[0]
	if r.Twice != 0 || r.Wasted != 0 || r.Failed != 0 || r.Refused != 0 || r.Moved == 0 {
		t.Errorf("%+v: want every request answered once, by either server", r)
	}
}

// Whether it is told to stop or killed, what it started ends with it.
func TestBenchLeavesNothingBehind(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		agent := filepath.Join(t.TempDir(), "kecho")
		if err := os.Symlink(kecho(t), agent); err != nil {
			t.Fatal(err)
		}
		p := start(t, loopback(), "kecho-lab", lab(t), "bench", "cluster", "--kecho", agent, "--nodes", "2", "--seconds", "300")
		eventually(t, startPatience, "the agents run", func() error {
			if n := running(t, agent); n != 2 {
				return fmt.Errorf("%d run", n)
			}
			return nil
		})
		signal(t, p, s)
		if code := p.wait(t, startPatience); s == syscall.SIGINT && code != 1 {
			t.Errorf("%v: exit code %d, want 1", s, code)
		}
		eventually(t, startPatience, "its processes end", func() error {
			if n := running(t, agent) + running(t, lab(t)); n != 0 {
				return fmt.Errorf("%d run", n)
			}
			return nil
		})
	}
}

// running counts the processes that were started as program.
func running(t *testing.T, program string) (n int) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		line, _ := os.ReadFile(f) // or it has just ended
		if strings.HasPrefix(string(line), program+"\x00") {
			n++
		}
	}
	return n
}
