package main

import (
	"regexp"
	"strings"
	"testing"

	"kecho/cmd/kecho-lab/live"
)

func TestBenchUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"bench what? There are bench cluster, bench front, bench lease, bench channel and bench paper": {"bench"},
		"bench front takes flags only":                    {"bench", "front", "now"},
		"there is no part \"magic\"; there are [cpu":      {"bench", "front", "--part", "magic"},
		"--size, --idle":                                  {"bench", "front", "--idle", "0"},
		"1001 connections: want 1 to 1000":                {"bench", "front", "--connections", "1001"},
		"bench lease takes flags only":                    {"bench", "lease", "now"},
		"--output \"xml\": want table":                    {"bench", "lease", "-o", "xml"},
		"--seconds 0: want 1 to 3600":                     {"bench", "lease", "--seconds", "0"},
		"--managers 0: want at least 1":                   {"bench", "lease", "--managers", "0"},
		"4 managers on 3 nodes":                           {"bench", "lease", "--managers", "4"},
		"65 nodes: want 1 to 64":                          {"bench", "lease", "--nodes", "3,65"},
		"0 clients: want 1 to 500":                        {"bench", "lease", "--clients", "0"},
		"8 members of etcd: want 1 to 7":                  {"bench", "lease", "--members", "8"},
		"fill with 100001 leases: want 0 to 100000":       {"bench", "lease", "--fill", "100001"},
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

func TestBenchLeaseTable(t *testing.T) {
	var out, notes strings.Builder
	took := []live.LeaseTook{{Name: "kecho", Leases: 100, PerSecond: 50, Ratio: 1}, {Name: "etcd-1", Leases: 80, PerSecond: 40, Ratio: .8}}
	busy := live.LeaseRun{Nodes: 16, Clients: 2, Took: took, Busy: []string{"it had to"}}
	res := live.LeaseResult{
		Runs:  []live.LeaseRun{{Nodes: 3, Took: took}, busy},
		Fills: []live.LeaseFill{{Name: "kecho", Leases: 20_000, Before: 10, After: 50}},
		Busy:  []string{"no disk"},
	}
	if err := printLeases(&out, &notes, res); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 8 || strings.Contains(lines[2], "?") || !strings.Contains(lines[4], "0.80?") {
		t.Fatal(out.String())
	}
	for _, at := range []int{0, 6} {
		headings := regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(lines[at]), -1)
		if row := strings.Fields(lines[at+1]); len(headings) != len(row) {
			t.Errorf("%d headings of %d columns:\n%s", len(headings), len(row), out.String())
		}
	}
	if !strings.Contains(lines[7], " 20.0 ") {
		t.Error("MiB of 10,000 leases: " + lines[7])
	}
	if notes.String() != "? no disk\n? 16 nodes, 2 clients: the machine was too busy for the times to be trusted: it had to\n" {
		t.Error(notes.String())
	}
}

func TestBenchLeaseWithoutEtcd(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	code, out, notes := lab(t, "bench", "lease", "--etcd")
	if code != 1 || out != "" || !strings.Contains(notes, "etcd is not installed: apt-get install etcd-server") {
		t.Errorf("exit %d, %q, %q", code, out, notes)
	}
}
