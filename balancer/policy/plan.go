package policy

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Copies says how a request has more than one copy: when, how many, to whom, and
// what ends those that lose. Only what may be begun twice has more than one.
// What is zero is as the Mode usually has it.
type Copies struct {
	// Most copies of one request at a time: with its own place among them in
	// Race and Hedge, where 2 is usual, and at peers in Paper, where 1 is. At
	// most 5, the most in the KECho paper's Figure 9.
	Most int
	// After is how long a request waits here before Paper moves it; zero is 2.5
	// s. In Hedge it is how long one that was begun may take until there is a
	// backup; zero: by Quantile.
	After time.Duration
	// Quantile is the share of the requests so far that took no longer than
	// what Hedge waits. Zero: 0.95.
	Quantile float64
	// Share is how many backups there are at most in Hedge, of all requests.
	// Zero: 0.05.
	Share float64
	// To says which peers. Zero: Random in Race, Best in Hedge, Least in Paper.
	To Choice
	// Cancel says what ends the losers. Zero: OnAnswer.
	Cancel Ending
}

// Choice is how an OUT-filter picks peers for a submission.
type Choice uint8

// The choices.
const (
	// Usual is what the Mode says; no effect has it.
	Usual Choice = iota
	// Random is at random, weighted with Core.Weight.
	Random
	// Best is the least loaded of 8 at random, by what was heard and sent since,
	// of those that Core.Promises.
	Best
	// Least is the least loaded of all by what was heard.
	Least
)

// String is the choice's name as configuration has it.
func (c Choice) String() string { return [...]string{"usual", "random", "best", "least"}[c] }

// Ending is what ends the copies of a request that lose.
type Ending uint8

// The ends.
const (
	// OnAnswer: the first answer.
	OnAnswer Ending = iota
	// OnStart: the first that is begun, so that one runs, or for a moment two.
	OnStart
	// Never: nothing; their answers are dropped.
	Never
)

// String is the end's name as configuration has it.
func (e Ending) String() string { return endingNames[e] }

var endingNames = [...]string{"complete", "start", "none"}

// EndingNamed is the end of that name; false when there is none.
func EndingNamed(name string) (Ending, bool) {
	i := slices.Index(endingNames[:], name)
	return Ending(max(i, 0)), i >= 0
}

// maxCopies is the most copies that one request can have.
const maxCopies = 5

// check says what is wrong with p.
func (p Copies) check() error {
	switch {
	case p.Most < 0 || p.Most > maxCopies:
		return fmt.Errorf("%d copies of a request are not 0 to %d", p.Most, maxCopies)
	case p.After < 0:
		return errors.New("the wait before copies is below 0")
	case !(p.Quantile >= 0 && p.Quantile < 1):
		return errors.New("the quantile is not in [0, 1)")
	case !(p.Share >= 0 && p.Share <= 1):
		return errors.New("the share of the backups is not in [0, 1]")
	case p.To > Least || p.Cancel > Never:
		return errors.New("there is no such way to choose or to cancel copies")
	}
	return nil
}

// usual fills in what is zero.
func (p Copies) usual(m Mode) Copies {
	most, to := 2, Random
	switch m {
	case Paper:
		most, to = 1, Least
		setDefault(&p.After, 2500*time.Millisecond)
	case Hedge:
		to = Best
	}
	setDefault(&p.Most, most)
	setZero(&p.Quantile, .95)
	setZero(&p.Share, .05)
	if p.To == Usual {
		p.To = to
	}
	return p
}
