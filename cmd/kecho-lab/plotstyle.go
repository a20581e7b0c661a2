package main

import (
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"kecho/balancer/sim"
)

// palette is the policies' colours, in the order of sim.Policies; dark and light
// in turn, so that neighbours differ in grey too.
var palette = []color.RGBA{
	{0x80, 0x80, 0x80, 0xff}, {0xb1, 0x59, 0x28, 0xff}, {0xa6, 0xce, 0xe3, 0xff}, {0x1f, 0x78, 0xb4, 0xff},
	{0xe3, 0x1a, 0x1c, 0xff}, {0xfd, 0xbf, 0x6f, 0xff}, {0x6a, 0x3d, 0x9a, 0xff}, {0xb2, 0xdf, 0x8a, 0xff},
	{0x33, 0xa0, 0x2c, 0xff}, {0xff, 0x7f, 0x00, 0xff}, {0xca, 0xb2, 0xd6, 0xff}, {0x00, 0x00, 0x00, 0xff},
}

func colour(p sim.Policy) color.Color {
	return palette[max(slices.Index(sim.Policies(), p), 0)%len(palette)]
}

func newPlot(title, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.Y.Label.Text = title, y
	p.Title.Padding = vg.Points(4)
	p.Legend.Top, p.Legend.Left, p.Legend.Padding = true, true, vg.Points(2)
	p.Legend.TextStyle.Font.Size = vg.Points(9)
	p.Add(plotter.NewGrid())
	return p
}

// steps marks a logarithmic axis at 1, 2 and 5 of each decade, and of many
// decades at 1.
type steps struct{}

// Ticks implements plot.Ticker.
func (steps) Ticks(low, high float64) (ticks []plot.Tick) {
	at := []float64{1, 2, 5}
	if high > 5000*low {
		at = at[:1]
	}
	for decade := math.Pow(10, math.Floor(math.Log10(low))); decade <= high; decade *= 10 {
		for _, k := range at {
			if v := k * decade; v >= low && v <= high {
				ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', 4, 64)})
			}
		}
	}
	return ticks
}

// heights marks bars with the ratios that they stand for; see height.
type heights struct{}

// Ticks implements plot.Ticker.
func (heights) Ticks(_, top float64) (ticks []plot.Tick) {
	for _, t := range (steps{}).Ticks(barsFrom, barsFrom*math.Pow(10, top)) {
		ticks = append(ticks, plot.Tick{Value: height(t.Value), Label: t.Label})
	}
	return ticks
}
