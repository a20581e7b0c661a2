package paper

import (
	"slices"
	"time"
)

// Line is one figure beside the paper's.
type Line struct {
	// Of is where the paper has it, What is what is measured.
	Of   string `json:"of"`
	What string `json:"what"`
	// Paper is what the paper has, as a text; "": nothing.
	Paper string `json:"paper,omitempty"`
	// Took is the median in microseconds, here.
	Took float64 `json:"took_us"`
	// Ratio is Took as a share of what it is held against, the first of its
	// kind, in the median of turns beside each other; 0: it is held against
	// nothing. Least and Most are of those turns.
	Ratio float64 `json:"ratio,omitempty"`
	Least float64 `json:"ratio_least,omitempty"`
	Most  float64 `json:"ratio_most,omitempty"`
	// Goal is what Ratio, or Took where there is none, should be at most; 0:
	// there is none.
	Goal float64 `json:"goal,omitempty"`
}

// Result is what Run measured.
type Result struct {
	Lines []Line `json:"lines"`
	// Busy is why the figures should not be trusted; nil when they may be.
	Busy []string `json:"busy,omitempty"`
}

// contest is things that are measured in turns, the first of which the others
// are held against.
type contest struct {
	lines []Line
	turns [][]float64 // of each line, the median of each turn in microseconds
}

// medianOf is in microseconds; 0 of none.
func medianOf(took []time.Duration) float64 {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return float64(took[len(took)/2]) / 1e3
}

// finish works the lines out: those but the first as shares of the first.
func (c *contest) finish() []Line {
	for k := range c.lines {
		l := &c.lines[k]
		l.Took = middle(c.turns[k])
		if k == 0 {
			continue
		}
		var ratios []float64
		for i := range c.turns[k] {
			ratios = append(ratios, share(c.turns[k][i], c.turns[0][i]))
		}
		l.Ratio, l.Least, l.Most = middle(ratios), slices.Min(ratios), slices.Max(ratios)
	}
	return c.lines
}

func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2]
}

// share is a/b, and 0 where there is none.
func share(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
