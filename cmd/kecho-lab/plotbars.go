package main

import (
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"kecho/balancer/sim"
)

// barsFrom is the ratio that bars stand on: a logarithm has no zero.
const barsFrom = 0.5

// bars is the p99 of every scenario under every policy as multiples of the
// central queue's, and how wide that is.
func bars(rows []row) (*plot.Plot, vg.Length, error) {
	p := newPlot("p99 beside one central queue for all", "multiples of its p99")
	p.Y.Tick.Marker, p.Y.Min = heights{}, 0
	scenarios := names(rows)
	var policies []sim.Policy
	for _, r := range rows {
		policies = append(policies, r.Policy)
	}
	policies = unique(policies)
	const width = 7 // points
	for k, name := range policies {
		tops := make(plotter.Values, len(scenarios))
		for _, r := range rows {
			if r.Policy == name {
				tops[slices.Index(scenarios, r.name())] = height(r.RatioP99)
			}
		}
		b, err := plotter.NewBarChart(tops, vg.Points(width))
		if err != nil {
			return nil, 0, err
		}
		b.Color, b.LineStyle.Width = colour(name), 0
		b.Offset = vg.Points(width * (float64(k) - float64(len(policies)-1)/2))
		p.Add(b)
		p.Legend.Add(string(name), b)
	}
	p.NominalX(scenarios...)
	p.X.Min, p.X.Max = -0.6, float64(len(scenarios))-0.4
	p.X.Tick.Label.Rotation = math.Pi / 4
	p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = -1, -0.5
	p.Y.Max += 0.5 // room for the legend
	group := vg.Points(width * float64(len(policies)+2))
	return p, max(16*vg.Centimeter, group*vg.Length(len(scenarios))+4*vg.Centimeter), nil
}

// height is how high a bar of a ratio is.
func height(ratio float64) float64 { return math.Log10(max(ratio, barsFrom) / barsFrom) }
