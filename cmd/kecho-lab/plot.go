package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"

	"kecho/balancer/sim"
)

// chart is one drawing of lines.
type chart struct {
	file, title, x, y string
	logX, logY        bool
	lines             []line
}

// line is one of them, in the colour of its policy.
type line struct {
	name   string
	policy sim.Policy
	dash   int
	points plotter.XYs
}

// plotAll draws the rows into files of dir: the p99 of all, the distributions of
// each scenario, the p99 by what a sweep varies, and, of their points, the
// paper's figures.
func plotAll(dir string, rows []row) error {
	named := slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return strings.HasPrefix(r.Sweep, "figure-") })
	charts := slices.Concat(distributionCharts(named), sweepCharts(named), paperCharts(rows))
	for _, c := range charts {
		p, err := c.draw()
		if err != nil {
			return fmt.Errorf("draw %s: %w", c.file, err)
		}
		if err := save(p, dir, c.file, 16*vg.Centimeter); err != nil {
			return err
		}
	}
	if len(named) == 0 {
		return nil
	}
	p, width, err := bars(named)
	if err != nil {
		return fmt.Errorf("draw p99: %w", err)
	}
	return save(p, dir, "p99", width)
}

func save(p *plot.Plot, dir, file string, width vg.Length) error {
	for _, kind := range []string{".svg", ".png"} {
		if err := p.Save(width, 10*vg.Centimeter, filepath.Join(dir, file+kind)); err != nil {
			return fmt.Errorf("--plot: save %s: %w", file+kind, err)
		}
	}
	return nil
}

// leastShown is what a logarithmic axis begins with: nothing is at 0 there.
const leastShown = 1e-3

func (c *chart) draw() (*plot.Plot, error) {
	p := newPlot(c.title, c.y)
	p.X.Label.Text = c.x
	if c.logX {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, steps{}
	}
	if c.logY {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, steps{}
	}
	for _, l := range c.lines {
		points := slices.Clone(l.points)
		for i := range points {
			if c.logX {
				points[i].X = max(points[i].X, leastShown)
			}
			if c.logY {
				points[i].Y = max(points[i].Y, leastShown)
			}
		}
		drawn, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		drawn.Color, drawn.Dashes, drawn.Width = colour(l.policy), plotutil.Dashes(l.dash), vg.Points(1.5)
		p.Add(drawn)
		p.Legend.Add(l.name, drawn)
	}
	return p, nil
}

// label is the policy of a row, with its distribution when that is not the
// scenario's own.
func label(r *row) string {
	if _, kind, found := strings.Cut(r.name(), " "); found {
		return string(r.Policy) + " " + kind
	}
	return string(r.Policy)
}

// distributionCharts is the response times of each scenario by policy.
func distributionCharts(rows []row) (charts []chart) {
	for _, name := range names(rows) {
		c := chart{file: "cdf-" + strings.ReplaceAll(name, " ", "-"), title: "Response times, " + name,
			x: "response time, ms", y: "share of the requests", logX: true}
		for _, r := range rows {
			if r.name() != name {
				continue
			}
			l := line{name: string(r.Policy), policy: r.Policy}
			for _, q := range r.Quantiles {
				l.points = append(l.points, plotter.XY{X: q.MS, Y: q.Share})
			}
			c.lines = append(c.lines, l)
		}
		charts = append(charts, c)
	}
	return charts
}

// names is the scenarios of rows, each once.
func names(rows []row) (list []string) {
	for _, r := range rows {
		list = append(list, r.name())
	}
	return unique(list)
}

// sweepCharts is the p99 against what a sweep varies, where there are two points
// or more.
func sweepCharts(rows []row) (charts []chart) {
	var sweeps []string
	for _, r := range rows {
		if r.Sweep != "" {
			sweeps = append(sweeps, r.Sweep)
		}
	}
	for _, sweep := range unique(sweeps) {
		points := inSweep(rows, sweep)
		c := chart{file: "sweep-" + sweep, title: "p99, " + sweep, x: points[0].XName, y: "p99, ms", logY: true}
		c.lines = linesOf(points, "", func(r *row) float64 { return r.P99 })
		if len(c.lines) > 0 {
			charts = append(charts, c)
		}
	}
	return charts
}

// linesOf is a line for each policy of a sweep, of one of its figures.
func linesOf(points []row, suffix string, y func(*row) float64) (lines []line) {
	for _, r := range points {
		at := slices.IndexFunc(lines, func(l line) bool { return l.name == label(&r)+suffix })
		if at < 0 {
			at = len(lines)
			lines = append(lines, line{name: label(&r) + suffix, policy: r.Policy})
			for _, before := range lines[:at] {
				if before.policy == r.Policy {
					lines[at].dash++
				}
			}
		}
		lines[at].points = append(lines[at].points, plotter.XY{X: r.X, Y: y(&r)})
	}
	return slices.DeleteFunc(lines, func(l line) bool { return len(l.points) < 2 })
}

// paperCharts is the KECho paper's Figures 8 (a), 8 (b), 9 (a) and 9 (b).
func paperCharts(rows []row) (charts []chart) {
	cost := func(r *row) float64 { return r.NodeCPU }
	if points := inSweep(rows, "figure-8"); len(points) > 0 {
		times := chart{file: "figure-8a", title: "Figure 8 (a): response times", x: points[0].XName, y: "mean, ms"}
		times.lines = linesOf(points, ", served here", func(r *row) float64 { return r.HereMean })
		balanced := slices.DeleteFunc(slices.Clone(points), func(r row) bool { return r.AwayMean == 0 })
		for _, l := range linesOf(balanced, ", at a peer", func(r *row) float64 { return r.AwayMean }) {
			l.dash += 2
			times.lines = append(times.lines, l)
		}
		charts = append(charts, times, chart{file: "figure-8b", title: "Figure 8 (b): overhead", x: points[0].XName,
			y: "CPU of the messages, ms per second of a node", lines: linesOf(points, "", cost)})
	}
	for _, f := range []struct{ sweep, file, title string }{
		{"figure-9", "figure-9a", "Figure 9 (a): overhead by how often loads are reported"},
		{"figure-9b", "figure-9b", "Figure 9 (b): overhead by how many servers are asked"},
	} {
		if points := inSweep(rows, f.sweep); len(points) > 0 {
			charts = append(charts, chart{file: f.file, title: f.title, x: points[0].XName,
				y: "CPU of the messages, ms per second of a node", lines: linesOf(points, "", cost)})
		}
	}
	return slices.DeleteFunc(charts, func(c chart) bool { return len(c.lines) == 0 })
}
