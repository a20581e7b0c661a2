// Package monitor watches values that go up and down, and says when one
// crosses a bound.
//
// It is pure: it reads no file, starts no goroutine, and has its time from a
// clock that is handed in. Package host reads the machine's values.
//
// # Vocabulary
//
// A gauge is a named value that can rise and fall, if need be one per item:
// the gauge disk.used has an item for each disk. It is absent until it is set,
// and when what it shows cannot be known.
//
// A statistic is what is looked at: the gauge itself, its highest value (high
// watermark), its lowest, its rate of change over a window, or the level of a
// leaky bucket that the gauge's rises fill. A Measure names one.
//
// A threshold is raised when its statistic goes above, or below, a value. With
// a cancel value, on the other side, it stays raised until the statistic has
// passed that one, so that it cannot flap; without, it only tells of each time
// that it is raised. A Condition says all of it, and has a text form:
//
//	cpu > 0.85 cancel < 0.70
//	disk.used{item=/data} >= 0.9
//	rate(errors, 10s) > 5 cancel < 1
//	high(connections) > 9000
//	leaky(errors, 2/s) > 20 cancel < 5
//
// The terms are those of the resource monitor that was proposed for the Linux
// kernel on 9 October 2002 (linux-kernel, "Realtime Kernel Resource Monitor
// Project").
//
// # Use
//
//	m := monitor.New(monitor.Config{})
//	cpu, err := m.Gauge(monitor.Key{Name: "cpu"})
//	when, err := monitor.Parse("cpu > 0.85 cancel < 0.70")
//	t, err := m.Watch(when, func(c monitor.Crossing) { busy.Store(c.Raised) })
//	defer t.Close()
//	cpu.Set(0.9) // busy is true when Set returns
//	m.Tick()     // each second or so: rates fall and buckets leak without updates
//
// Thresholds are evaluated in the update itself, so that a value between two
// polls is not missed.
//
// # Concurrency
//
// Everything may be called from several goroutines. An update that changes
// nothing for anybody who watches takes no lock: its value crosses no bound,
// moves no watermark, and leaves every rate on its side of all bounds to the end
// of the window's slot, for which it reads the clock. Only what is poured into
// a leaky bucket always counts. Any other update takes the gauge's own lock,
// which is held for arithmetic only. Callbacks run outside
// every lock, in a goroutine that updates the gauge, ticks, or watches: in the
// order of the crossings and one at a time for each threshold, once per
// crossing. Usually the crossing has been told of when Set returns; when
// another goroutine is in the same threshold's callback, that one tells of it.
// A callback may do everything, also set the gauge that it came from and close
// its threshold.
//
// # Limits
//
// A threshold keeps 64 crossings for a callback that is slower than they are;
// beyond those a raise and the cancel after it are left out together, so that
// the callback's last word is always true (without a cancel: raises are), and
// counted in Missed. A rate is
// taken from 16 slots: its window is up to one sixteenth longer than it says.
// A value that is not finite makes its gauge absent. A text is at most 1,024
// bytes, a name 128 and an item 256. Nothing bounds the number of gauges and
// thresholds, which live until they are closed (thresholds) or forgotten
// (gauges): who lets strangers make them bounds them.
//
// An update that crosses nothing costs the same with one threshold on the
// gauge's statistic and with ten thousand, and nothing for other gauges.
//
// The tests hold it against a naive model that keeps all history
// (model_test.go), and fuzz the parser.
package monitor
