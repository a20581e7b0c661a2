package monitor

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is the monitor written without regard to cost: a threshold computes
// its statistic from all that its gauge ever was.
type model struct {
	now    time.Duration
	values map[Key]float64
	// What a statistic has seen since it began, was reset, or its gauge was
	// absent; only of those that have thresholds.
	seen       map[Measure][]seen
	thresholds []*modelThreshold
}

type seen struct {
	at    time.Duration
	value float64
}

type modelThreshold struct {
	when   Condition
	raised bool
	told   []string
	closed bool
}

// evaluate is an update, or a tick, of the gauge at k.
func (m *model) evaluate(k Key) {
	v, ok := m.values[k]
	fresh := map[Measure]bool{}
	for _, t := range m.thresholds {
		measure := t.when.Of
		if t.closed || measure.Of != k {
			continue
		}
		if !fresh[measure] {
			fresh[measure] = true
			if !ok {
				m.seen[measure] = nil
			} else {
				m.seen[measure] = append(m.seen[measure], seen{m.now, v})
			}
		}
		t.apply(m.value(measure))
	}
}

func (m *model) value(of Measure) float64 {
	history := m.seen[of]
	if len(history) == 0 {
		return math.NaN()
	}
	last := history[len(history)-1]
	switch of.Kind {
	case High:
		return slices.MaxFunc(history, byValue).value
	case Low:
		return slices.MinFunc(history, byValue).value
	case Rate:
		slot := of.Window / 16
		from := last.at/slot*slot - of.Window
		then := history[0]
		for _, s := range history {
			if s.at < from {
				then = s
			}
		}
		return (last.value - then.value) / (last.at - from).Seconds()
	case Leaky:
		level := 0.0
		for i, s := range history[1:] {
			before := history[i]
			level = max(0, level-of.Leak*(s.at-before.at).Seconds())
			level += max(0, s.value-before.value)
		}
		return level
	}
	return last.value
}

func byValue(a, b seen) int {
	if a.value < b.value {
		return -1
	} else if a.value > b.value {
		return 1
	}
	return 0
}

func (t *modelThreshold) apply(x float64) {
	known := !math.IsNaN(x)
	over := func(b Bound) bool {
		return known && (b.Op == Above && x > b.Value || b.Op == AtLeast && x >= b.Value ||
			b.Op == Below && x < b.Value || b.Op == AtMost && x <= b.Value)
	}
	if !t.raised {
		if over(t.when.Raise) {
			t.raised = true
			t.told = append(t.told, tale(Crossing{true, x}))
		}
		return
	}
	if t.when.Cancel == (Bound{}) {
		t.raised = over(t.when.Raise)
	} else if !known || over(t.when.Cancel) {
		t.raised = false
		t.told = append(t.told, tale(Crossing{false, x}))
	}
}

func tale(c Crossing) string { return fmt.Sprint(c.Raised, " ", c.Value) }

// drawCondition has values that random histories cross often. Times and leaks
// are sums of powers of two, so that the model's arithmetic is exact too.
func drawCondition(t *rapid.T) Condition {
	m := Measure{Kind: Kind(rapid.IntRange(0, 4).Draw(t, "kind")), Of: drawKey(t)}
	switch m.Kind {
	case Rate:
		m.Window = rapid.SampledFrom([]time.Duration{time.Second, 4 * time.Second}).Draw(t, "window")
	case Leaky:
		m.Leak = rapid.SampledFrom([]float64{0.5, 2}).Draw(t, "leak")
	}
	c := Condition{Of: m, Raise: Bound{Op(rapid.IntRange(1, 4).Draw(t, "op")), float64(rapid.IntRange(-4, 4).Draw(t, "bound"))}}
	if rapid.Bool().Draw(t, "with cancel") {
		apart := float64(rapid.IntRange(1, 3).Draw(t, "apart"))
		c.Cancel = Bound{Below + Op(rapid.IntRange(0, 1).Draw(t, "closed")), c.Raise.Value - apart}
		if !c.Raise.Op.up() {
			c.Cancel = Bound{c.Cancel.Op - 2, c.Raise.Value + apart}
		}
	}
	return c
}

func drawKey(t *rapid.T) Key {
	return Key{Name: "g", Item: rapid.SampledFrom([]string{"", "a"}).Draw(t, "item")}
}

func TestMonitorIsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		naive := &model{values: map[Key]float64{}, seen: map[Measure][]seen{}}
		start := time.Now()
		m := New(Config{Now: func() time.Time { return start.Add(naive.now) }})
		var set []*Threshold
		var told []*[]string
		gauge := func() (*Gauge, Key) {
			k := drawKey(t)
			g, err := m.Gauge(k)
			if err != nil {
				t.Fatal(err)
			}
			return g, k
		}
		step := func(float64) float64 { return float64(rapid.IntRange(-5, 5).Draw(t, "value")) }
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				g, k := gauge()
				naive.values[k] = step(0)
				g.Set(naive.values[k])
				naive.evaluate(k)
			},
			"add": func(t *rapid.T) {
				g, k := gauge()
				d := step(0)
				naive.values[k] += d
				g.Add(d)
				naive.evaluate(k)
			},
			"unset": func(t *rapid.T) {
				g, k := gauge()
				delete(naive.values, k)
				g.Unset()
				naive.evaluate(k)
			},
			"time passes": func(t *rapid.T) {
				naive.now += time.Duration(rapid.IntRange(1, 64).Draw(t, "sixteenths")) * time.Second / 16
			},
			"tick": func(t *rapid.T) {
				m.Tick()
				for _, k := range []Key{{Name: "g"}, {Name: "g", Item: "a"}} {
					if slices.ContainsFunc(naive.thresholds, func(t *modelThreshold) bool { return !t.closed && t.when.Of.Of == k && t.when.Of.Kind.timed() }) {
						naive.evaluate(k)
					}
				}
			},
			"watch": func(t *rapid.T) {
				when := drawCondition(t)
				if !slices.ContainsFunc(naive.thresholds, func(t *modelThreshold) bool { return !t.closed && t.when.Of == when.Of }) {
					delete(naive.seen, when.Of)
				}
				naive.thresholds = append(naive.thresholds, &modelThreshold{when: when})
				log := new([]string)
				threshold, err := m.Watch(when, func(c Crossing) { *log = append(*log, tale(c)) })
				if err != nil {
					t.Fatal(err)
				}
				set, told = append(set, threshold), append(told, log)
				naive.evaluate(when.Of.Of)
			},
			"close": func(t *rapid.T) {
				if len(set) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(set)-1).Draw(t, "which")
				set[i].Close()
				naive.thresholds[i].closed = true
			},
			"reset": func(t *rapid.T) {
				if len(set) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(set)-1).Draw(t, "which")
				if naive.thresholds[i].closed {
					t.Skip()
				}
				set[i].Reset()
				naive.seen[set[i].Condition().Of] = nil
				naive.evaluate(set[i].Condition().Of.Of)
			},
			"": func(t *rapid.T) {
				for i, threshold := range set {
					want := naive.thresholds[i]
					if !reflect.DeepEqual(*told[i], want.told) {
						t.Fatalf("%v told %v, want %v", want.when, *told[i], want.told)
					}
					if want.closed {
						continue
					}
					if threshold.Raised() != want.raised {
						t.Fatalf("%v raised is %v", want.when, threshold.Raised())
					}
					v, ok := threshold.Value()
					if x := naive.value(want.when.Of); ok == math.IsNaN(x) || ok && v != x {
						t.Fatalf("%v is %v (%v), want %v", want.when.Of, v, ok, x)
					}
				}
			},
		})
	})
}
