package main

import (
	"strings"
	"testing"

	"kecho/cmd/kecho-lab/live"
)

func TestBenchUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"bench what? There is bench cluster":              {"bench"},
		"flags only":                                      {"bench", "cluster", "hot-4x"},
		"table or json":                                   {"bench", "cluster", "-o", "xml"},
		"--nodes 0: want 1 to 64":                         {"bench", "cluster", "--nodes", "0"},
		"--seconds 0.5: want 1 to 3600":                   {"bench", "cluster", "--seconds", "0.5"},
		"--places 0: want 1":                              {"bench", "cluster", "--workers", "0"},
		"--service -1s: want more":                        {"bench", "cluster", "--service", "-1s"},
		`no distribution "even"; there are fixed`:         {"bench", "cluster", "--distribution", "even"},
		"--timeout 0s: want more":                         {"bench", "cluster", "--timeout", "0"},
		"--kill needs --nodes 2":                          {"bench", "cluster", "--kill", "--nodes", "1"},
		`there is no scenario "magic"`:                    {"bench", "cluster", "--scenario", "magic"},
		"--kecho: exec: \"/nowhere/kecho\"":               {"bench", "cluster", "--kecho", "/nowhere/kecho"},
		"is not the kecho command: agent --help: exit st": {"bench", "cluster", "--kecho", "false"},
		"slow-node cannot be run before real servers":     {"bench", "cluster", "--kecho", "true", "--scenario", "slow-node"},
		`there is no policy "magic"`:                      {"bench", "cluster", "--kecho", "true", "--policy", "magic"},
		"--records: open /nowhere":                        {"bench", "cluster", "--kecho", "true", "--records", "/nowhere/file"},
	} {
		code, out, notes := lab(t, args...)
		if code != 2 || out != "" || !strings.Contains(notes, want) {
			t.Errorf("%v: exit %d, %q, %q; want exit 2 and %q", args, code, out, notes, want)
		}
	}
}

func TestBenchTableMarksBusyRuns(t *testing.T) {
	var out, notes strings.Builder
	fine := live.Result{Scenario: "hot-4x", Policy: "auto", Requests: 10, Times: live.Times{P99: 12.34}, PerCentral: live.Ratios{P99: 1.05}}
	busy := fine
	busy.Busy = []string{"it had to"}
	if err := printBench(&out, &notes, []live.Result{fine, busy}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || strings.Contains(lines[1], "?") || !strings.Contains(lines[2], "12.3?") || !strings.Contains(lines[2], "1.05?") {
		t.Error(out.String())
	}
	if heading, row := strings.Fields(strings.ReplaceAll(lines[0], " ms", "ms")), strings.Fields(lines[1]); len(row) < 20 || len(heading) < len(row) {
		t.Error("a column without a heading:\n" + out.String())
	}
	if notes.String() != "? hot-4x, auto: the machine was too busy for its times to be trusted: it had to\n" {
		t.Error(notes.String())
	}
}
