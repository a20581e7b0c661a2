package main

import (
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kecho/balancer/sim"
)

// TestPlot: the drawings are there, in both kinds, and are drawings.
func TestPlot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "drawn", "here")
	code, _, notes := lab(t, "sim", "--scenario", "uniform-.3,uniform-.5,figure-8@25,figure-8@40,figure-9b@1,figure-9b@5", "--distribution", "fixed,exponential",
		"--policy", "none,paper,auto", "--seconds", "5", "--plot", dir)
	if code != 0 {
		t.Fatal(code, notes)
	}
	var files []string
	for _, name := range []string{"cdf-uniform-.3", "cdf-uniform-.3-fixed", "cdf-uniform-.5", "cdf-uniform-.5-fixed", "figure-8a", "figure-8b", "figure-9b",
		"p99", "sweep-uniform"} {
		files = append(files, name+".png", name+".svg")
		f, err := os.Open(filepath.Join(dir, name+".png"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(f); err != nil {
			t.Errorf("%s.png: %v", name, err)
		}
		f.Close()
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(files)
	if !slices.Equal(got, files) {
		t.Errorf("drawn: %v\nwant: %v", got, files)
	}
	if bars, err := os.ReadFile(filepath.Join(dir, "p99.svg")); err != nil || !strings.Contains(string(bars), ">uniform-.3 fixed<") {
		t.Error("the bars do not name their scenario", err)
	}
}

// TestPlotNowhere: a directory that cannot be made is said before anything runs.
func TestPlotNowhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, notes := lab(t, "sim", "--plot", filepath.Join(file, "dir"), "--progress")
	if code != 2 || out != "" || !strings.Contains(notes, "--plot: make the directory") || strings.Contains(notes, "simulated") {
		t.Error(code, out, notes)
	}
}

// TestSweepLines: a policy under two distributions is two lines.
func TestSweepLines(t *testing.T) {
	var rows []row
	for _, dist := range []sim.Dist{sim.Exponential, sim.Fixed} {
		for _, x := range []float64{.3, .5} {
			rows = append(rows, row{Result: sim.Result{Scenario: "uniform-.3", Policy: sim.Auto, Dist: dist, P99: 100 * x}, Sweep: "uniform", X: x})
		}
	}
	charts := sweepCharts(rows)
	if len(charts) != 1 || len(charts[0].lines) != 2 || charts[0].lines[1].name != "auto fixed" || len(charts[0].lines[1].points) != 2 {
		t.Errorf("%+v", charts)
	}
	if charts := sweepCharts(rows[:1]); len(charts) != 0 {
		t.Errorf("one point is no sweep: %+v", charts)
	}
}

// TestSteps: an axis has few marks, however long it is.
func TestSteps(t *testing.T) {
	for want, axis := range map[string][2]float64{"0.5 1 2 5 10 20": {.5, 29}, "0.001 0.01 0.1 1 10 100": {.001, 101}} {
		var got []string
		for _, tick := range (steps{}).Ticks(axis[0], axis[1]) {
			got = append(got, tick.Label)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("marks of %v: %v, want %s", axis, got, want)
		}
	}
}
