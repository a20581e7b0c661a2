package monitor

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"kecho/resmgr/syntax"
)

// Key names a gauge.
type Key struct {
	// Name begins with a letter and has letters, digits, dots, dashes and
	// underscores, 128 at most.
	Name string
	// Item is which of several things of that name, such as the disk's mount
	// point; "": there is only one. Printable, 256 bytes at most.
	Item string
}

const (
	maxName = 128
	maxItem = 256
)

// String is the key's text form: disk.used{item=/data}.
func (k Key) String() string {
	if k.Item == "" {
		return k.Name
	}
	item := k.Item
	if !bareItem(item) {
		item = strconv.Quote(item)
	}
	return k.Name + "{item=" + item + "}"
}

// Check says what is wrong with the key.
func (k Key) Check() error {
	if k.Name == "" || len(k.Name) > maxName || syntax.NameLength(k.Name) != len(k.Name) {
		return fmt.Errorf("gauge %.80q: want a letter, then letters, digits, dots, dashes and underscores, %d at most", k.Name, maxName)
	}
	if len(k.Item) > maxItem || strings.ContainsFunc(k.Item, func(r rune) bool { return !strconv.IsPrint(r) || r == '\uFFFD' }) {
		return fmt.Errorf("item %.80q of gauge %s: want printable text of %d bytes at most", k.Item, k.Name, maxItem)
	}
	return nil
}

// Kind is what a statistic makes of its gauge.
type Kind uint8

const (
	// Absolute is the gauge itself.
	Absolute Kind = iota
	// High is the highest value since the first threshold on it was set, since
	// Reset, or since the gauge was absent.
	High
	// Low is the lowest, likewise.
	Low
	// Rate is the change per second over Measure.Window: (value now - value
	// then) / time between. A gauge younger than the window counts as
	// unchanged before it was first seen.
	Rate
	// Leaky is the level of a bucket: every rise of the gauge is poured in, a
	// fall is not taken out, and Measure.Leak a second runs out of it. It
	// starts empty.
	Leaky
)

// String is the kind's name in the text form; "" for Absolute.
func (k Kind) String() string { return [...]string{"", "high", "low", "rate", "leaky"}[k] }

// timed reports whether time alone changes such a statistic.
func (k Kind) timed() bool { return k == Rate || k == Leaky }

// Measure names a statistic. Equal measures are one statistic.
type Measure struct {
	Kind Kind
	Of   Key
	// Window is what a Rate is taken over: 1 ms to 24 h. Else 0.
	Window time.Duration
	// Leak is what runs out of a Leaky bucket in a second: above 0. Else 0.
	Leak float64
}

const (
	minWindow = time.Millisecond
	maxWindow = 24 * time.Hour
)

var (
	errWindow = fmt.Errorf("a rate's window is from %v to %v", minWindow, maxWindow)
	errLeak   = errors.New("what leaks in a second is a finite number above 0")
)

// String is the measure's text form: rate(errors, 10s).
func (m Measure) String() string {
	switch m.Kind {
	case Rate:
		return fmt.Sprintf("rate(%v, %v)", m.Of, m.Window)
	case Leaky:
		return fmt.Sprintf("leaky(%v, %v/s)", m.Of, number(m.Leak))
	case High, Low:
		return fmt.Sprintf("%v(%v)", m.Kind, m.Of)
	}
	return m.Of.String()
}

// Check says what is wrong with the measure.
func (m Measure) Check() error {
	if m.Kind > Leaky {
		return fmt.Errorf("kind %d is none", uint8(m.Kind))
	}
	if m.Kind == Rate && (m.Window < minWindow || m.Window > maxWindow) || m.Kind != Rate && m.Window != 0 {
		return fmt.Errorf("window %v: %w", m.Window, errWindow)
	}
	if m.Kind == Leaky && !(m.Leak > 0 && finite(m.Leak)) || m.Kind != Leaky && m.Leak != 0 {
		return fmt.Errorf("leak %v: %w", m.Leak, errLeak)
	}
	return m.Of.Check()
}

// Op is a comparison.
type Op uint8

// The comparisons; the zero Op is none.
const (
	Above   Op = iota + 1 // >
	AtLeast               // >=
	Below                 // <
	AtMost                // <=
)

// String is the operator's sign; "" for none.
func (o Op) String() string { return [...]string{"", ">", ">=", "<", "<="}[o] }

// up reports whether it is crossed upwards.
func (o Op) up() bool { return o == Above || o == AtLeast }

// Bound is one side of a condition.
type Bound struct {
	Op    Op
	Value float64 // finite
}

// holds is false for NaN.
func (b Bound) holds(x float64) bool {
	switch b.Op {
	case Above:
		return x > b.Value
	case AtLeast:
		return x >= b.Value
	case Below:
		return x < b.Value
	case AtMost:
		return x <= b.Value
	}
	return false
}

func (b Bound) String() string { return b.Op.String() + " " + number(b.Value) }

// Condition says when a threshold is raised and when it is cancelled.
type Condition struct {
	Of    Measure
	Raise Bound
	// Cancel is on the other side of Raise. Zero: none; such a threshold is
	// silently ready again when Raise does not hold any more.
	Cancel Bound
}

// HasCancel reports whether the condition has a cancel value.
func (c Condition) HasCancel() bool { return c.Cancel != Bound{} }

// String is the condition's text form, which Parse reads.
func (c Condition) String() string {
	s := c.Of.String() + " " + c.Raise.String()
	if c.HasCancel() {
		s += " cancel " + c.Cancel.String()
	}
	return s
}

var errBound = errors.New("a bound is >, >=, < or <= and a finite number")

// Check says what is wrong with the condition.
func (c Condition) Check() error {
	for _, b := range []Bound{c.Raise, c.Cancel} {
		if b != (Bound{}) && (b.Op < Above || b.Op > AtMost || !finite(b.Value)) {
			return errBound
		}
	}
	if c.Raise.Op == 0 {
		return errBound
	}
	if err := c.checkSide(); err != nil {
		return err
	}
	return c.Of.Check()
}

// checkSide refuses a cancel that could never come, or that would come with
// the raise.
func (c Condition) checkSide() error {
	if !c.HasCancel() {
		return nil
	}
	side, sign := "below", "<"
	if !c.Raise.Op.up() {
		side, sign = "above", ">"
	}
	if c.Raise.Op.up() == c.Cancel.Op.up() {
		return fmt.Errorf("cancel on the wrong side: what is raised by %v is cancelled by %s a value %s %s", c.Raise, sign, side, number(c.Raise.Value))
	}
	if apart := c.Raise.Value - c.Cancel.Value; c.Raise.Op.up() != (apart > 0) || apart == 0 {
		return fmt.Errorf("cancel on the wrong side: %s is not %s %s, so the threshold would be raised and cancelled at once", number(c.Cancel.Value), side, number(c.Raise.Value))
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// number is the shortest text that is v again.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
