package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"kecho/balancer/sim"
)

func printRows(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, strings.Join([]string{"SCENARIO", "POLICY", "P50 ms", "P99 ms", "P99.9 ms", "MEAN ms", "P99 x", "P99.9 x", "MEAN x",
		"GOODPUT", "REFUSED", "LATE", "FAILED", "WASTED", "TWICE", "MOVED", "BODIES", "CONTROL", "REPORTS", "CPU %", ""}, "\t"))
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%.1f\t%.1f\t%.1f\t%.1f\t%.2f\t%.2f\t%.2f\t%.3f\t%.4f\t%.4f\t%.4f\t%.4f\t%d\t%.3f\t%.2f\t%.2f\t%.2f\t%.2f\t\n",
			r.name(), r.Policy, r.P50, r.P99, r.P999, r.Mean, r.RatioP99, r.RatioP999, r.RatioMean,
			r.Goodput, r.Refused, r.Late, r.Failed, r.Wasted, r.Twice, r.Moved, r.Bodies, r.Control, r.Reports, 100*r.CPU)
	}
	return t.Flush()
}

// paperSays is what the KECho paper's text (section 5.4) says of a point of its
// figures: the mean of Figure 8 in ms, and of Figure 9 the overhead in ms, which
// it does not say of what. Empty: only the curve, which has no figures.
func paperSays(r row) string {
	switch {
	case r.Sweep == "figure-8" && r.Policy == sim.None && r.X >= 33:
		return "levels off at 5000"
	case r.Sweep == "figure-8" && r.Policy == sim.Paper && r.X >= 33:
		return "levels off at 2500"
	case r.Sweep == "figure-9" && r.Policy == sim.Paper && r.X == 5:
		return "more than 8"
	}
	return ""
}

// printPaper prints the points of the paper's figures beside what the paper
// says of them.
func printPaper(w io.Writer, rows []row) error {
	for _, figure := range []string{"figure-8", "figure-9", "figure-9b"} {
		points := inSweep(rows, figure)
		if len(points) == 0 {
			continue
		}
		fmt.Fprintf(w, "\nThe KECho paper's %s, by %s:\n", strings.Replace(figure, "f", "F", 1), points[0].XName)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(t, "X\tPOLICY\tMEAN ms\tHERE ms\tAT A PEER ms\tP99 ms\tMESSAGES/REQ\tCPU % OF SERVICE\tCPU ms/NODE/s\tTHE PAPER, ms\t")
		for _, r := range points {
			fmt.Fprintf(t, "%v\t%s\t%.1f\t%.1f\t%.1f\t%.1f\t%.2f\t%.2f\t%.2f\t%s\t\n",
				r.X, r.Policy, r.Mean, r.HereMean, r.AwayMean, r.P99, r.Messages, 100*r.CPU, r.NodeCPU, paperSays(r))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// inSweep is the rows of one sweep.
func inSweep(rows []row, sweep string) (points []row) {
	for _, r := range rows {
		if r.Sweep == sweep {
			points = append(points, r)
		}
	}
	return points
}
