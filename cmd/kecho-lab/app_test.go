package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
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
	if !strings.Contains(notes, "flash, auto") || strings.Contains(out, "flash, auto") {
		t.Error("progress belongs on standard error:", notes)
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
	} {
		code, out, notes := lab(t, args...)
		if code != 2 || out != "" || !strings.Contains(notes, want) || strings.Count(notes, "\n") != 1 {
			t.Errorf("%v: exit %d, %q, %q; want exit 2 and one line with %q", args, code, out, notes, want)
		}
	}
}
