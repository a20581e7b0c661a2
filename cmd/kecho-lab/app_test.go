package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"kecho/balancer/sim"
)

// lab runs the command.
func lab(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, notes bytes.Buffer
	code = run(t.Context(), append([]string{"kecho-lab"}, args...), &out, &notes)
	return code, out.String(), notes.String()
}

func TestSimTable(t *testing.T) {
	code, out, notes := lab(t, "sim", "--scenario", "uniform-.5,flash", "--policy", "none,auto,central", "--seconds", "5")
	if code != 0 {
		t.Fatal(code, notes)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 7 || !strings.Contains(lines[0], "SCENARIO") || !strings.Contains(lines[4], "flash") {
		t.Error("want a heading and six rows:\n" + out)
	}
	if f := strings.Fields(lines[3]); f[1] != "central" || f[6] != "1.00" {
		t.Error("the central queue beside itself:", f)
	}
	if notes != "" {
		t.Error("nobody asked for progress, and there is no terminal:", notes)
	}
}

// TestParallel: how many run at a time changes nothing but the time; progress
// goes to standard error.
func TestParallel(t *testing.T) {
	args := []string{"sim", "--scenario", "uniform-.3,hot-4x", "--policy", "all", "--distribution", "fixed,bimodal", "--seconds", "5", "-o", "json"}
	code, one, notes := lab(t, append(args, "--parallel", "1", "--progress")...)
	_, three, quiet := lab(t, append(args, "--parallel", "3")...)
	if code != 0 || one != three || quiet != "" {
		t.Error(code, "the results differ, or there are notes:", quiet)
	}
	runs := 4 * len(sim.Policies())
	if want := fmt.Sprintf("%d of %d simulated seconds, %d of %d runs", 5*runs, 5*runs, runs, runs); !strings.Contains(notes, want) {
		t.Errorf("progress: %q, want %q", notes, want)
	}
}

// TestFigures is the paper's figures with their policies, and what the paper says.
func TestFigures(t *testing.T) {
	code, out, notes := lab(t, "sim", "--scenario", "figure-8@25,figure-8@50", "--seconds", "20")
	if code != 0 {
		t.Fatal(code, notes)
	}
	_, figure, found := strings.Cut(out, "The KECho paper's Figure-8, by requests/s at the hot server:")
	if !found || strings.Count(figure, "\n") != 8 || strings.Count(figure, "levels off") != 2 {
		t.Error("want a heading and two points under three policies, two of them with the paper's words:\n" + out)
	}
	code, out, notes = lab(t, "sim", "--scenario", "figure-9b@5", "--seconds", "5")
	if _, figure, found = strings.Cut(out, "The KECho paper's Figure-9b, by servers asked:"); code != 0 || !found || strings.Count(figure, "\n") != 5 {
		t.Error("want a heading and a point under three policies:\n"+out, notes)
	}
}

func TestSimJSON(t *testing.T) {
	code, out, notes := lab(t, "sim", "--policy", "auto", "--seconds", "5", "-o", "json")
	if code != 0 {
		t.Fatal(code, notes)
	}
	var rows []map[string]any
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"distribution", "load", "p50_ms", "p99_ms", "p999_ms", "mean_ms", "goodput", "messages", "cpu_share",
		"quantiles", "sweep", "x", "service_ms", "places", "mean_ratio", "p999_ratio"} {
		if _, ok := rows[0][field]; !ok {
			t.Errorf("there is no %q in %v", field, rows[0])
		}
	}
	if len(rows) != 1 || rows[0]["scenario"] != "uniform-.8" || rows[0]["policy"] != "auto" || rows[0]["p99_ratio"].(float64) < 1 {
		t.Error(out)
	}
}

func TestList(t *testing.T) {
	if code, out, _ := lab(t, "sim", "--list"); code != 0 || !strings.Contains(out, "hot-6x\n") {
		t.Error(code, out)
	}
}

func TestUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"kecho-lab: which command?":     {},
		"kecho-lab: there is no policy": {"sim", "--policy", "magic"},
		"there are none, paper, push":   {"sim", "--policy", "magic"},
		"no scenario":                   {"sim", "--scenario", "magic"},
		"table or json":                 {"sim", "-o", "xml"},
		"flags only":                    {"sim", "uniform-.8"},
		"no command":                    {"sin"},
		"not defined":                   {"sim", "--policies", "auto"},
		"--nodes 0: want at least 1":    {"sim", "--nodes", "0"},
		"--seconds 0: want":             {"sim", "--seconds", "0"},
		"--loss 2: want a share":        {"sim", "--loss", "2"},
		"--delay -1s: want more than 0": {"sim", "--delay", "-1s"},
		"--places 0: want at least 1":   {"sim", "--places", "0"},
		"--service 0s: want more":       {"sim", "--service", "0"},
		"--nodes 10001: want":           {"sim", "--nodes", "10001"},
		"6 copies of a request are not": {"sim", "--policy", "race", "--copies", "6"},
		"--cancel \"never\": want":      {"sim", "--policy", "race", "--cancel", "never"},
		"first start cannot cancel":     {"sim", "--policy", "hedge", "--cancel", "start"},
		"no distribution":               {"sim", "--distribution", "normal"},
		"--parallel 0: want":            {"sim", "--parallel", "0"},
		"--message-cost 0s: want":       {"sim", "--message-cost", "0"},
	} {
		code, out, notes := lab(t, args...)
		if code != 2 || out != "" || !strings.Contains(notes, want) || strings.Count(notes, "\n") != 1 {
			t.Errorf("%v: exit %d, %q, %q; want exit 2 and one line with %q", args, code, out, notes, want)
		}
	}
}
