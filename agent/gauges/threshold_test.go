package gauges_test

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent/api"
	"kecho/agent/gauges"
)

func TestThresholdRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, gauges.Config{})
		for _, tt := range []struct {
			gauge     string
			threshold api.NewThreshold
			code      api.Code
			text      string
		}{
			{"cpu", api.NewThreshold{Condition: "cpu > "}, api.Invalid, `"cpu > ", column 7: want a number`},
			{"cpu", api.NewThreshold{Condition: "load1 > 3"}, api.Invalid, "is on the gauge load1, not on cpu"},
			{"cpu", api.NewThreshold{Condition: "cpu > 85"}, api.Invalid, "write 0.85"},
			{"cpuu", api.NewThreshold{Condition: "cpuu > 0.5"}, api.NotFound, "the machine has cpu, load1"},
			{"cpu", api.NewThreshold{Condition: "cpu > 0.5", Actions: api.Actions{Overflow: true}}, api.Invalid, "at which overflow ends"},
			{"cpu", api.NewThreshold{Condition: "cpu > 0.5 cancel > 0.7"}, api.Invalid, "wrong side"},
			{"cpu", api.NewThreshold{Condition: "cpu > 0.5", Actions: api.Actions{Event: &api.ChannelEvent{Channel: "a", Type: "b"}}}, api.Invalid, "no channels"},
			{"cpu", api.NewThreshold{Condition: "cpu > 0.5", Actions: api.Actions{Webhook: "ftp://x/secret"}}, api.Invalid, "its webhook is no URL"},
		} {
			_, err := r.Watch(tt.gauge, tt.threshold)
			if code(err) != tt.code || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v, want %s and %q", tt.threshold.Condition, err, tt.code, tt.text)
			}
		}
		if len(r.gauge(t, "cpu").Thresholds) != 0 {
			t.Error("what was refused is there")
		}
	})
}

// Overflow is raised while any threshold that raises it is, and one that is
// taken away raises nothing any more.
func TestOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, gauges.Config{})
		overflow := api.Actions{Overflow: true}
		if r.HasOverflow() {
			t.Error("overflow without a threshold")
		}
		if err := r.Configure(api.NewThreshold{Condition: "app.a > 1 cancel < 1e-3", Actions: overflow}); err != nil {
			t.Fatal(err)
		}
		r.set(t, "app.b", 5, time.Hour)
		b, err := r.Watch("app.b", api.NewThreshold{Condition: "app.b > 1 cancel < 0", Actions: overflow})
		if err != nil || !b.Raised || b.Value == nil || *b.Value != 5 || b.Source != "api" || b.Since == nil {
			t.Fatalf("one that holds when it is set: %+v %v", b, err)
		}
		if !r.lastOverflow() || !r.HasOverflow() {
			t.Error("not raised")
		}
		r.set(t, "app.a", 5, time.Hour)
		r.set(t, "app.b", -1, time.Hour)
		if got := r.Raising(); !r.lastOverflow() || len(got) != 1 || got[0] != "app.a > 1 cancel < 0.001" {
			t.Errorf("raised by %q", got)
		}
		r.set(t, "app.b", 5, time.Hour)
		r.set(t, "app.a", 0, time.Hour)
		if err := r.Unwatch("app.a", b.ID); code(err) != api.NotFound {
			t.Errorf("taken from another gauge: %v", err)
		}
		if err := r.Unwatch("app.b", b.ID); err != nil || r.lastOverflow() {
			t.Errorf("taken away while raised: %v, overflow %v", err, r.lastOverflow())
		}
		if err := r.Unwatch("app.b", b.ID); code(err) != api.NotFound {
			t.Errorf("taken away twice: %v", err)
		}
		r.set(t, "app.b", -1, time.Hour)
		r.set(t, "app.b", 5, time.Hour)
		if r.lastOverflow() {
			t.Error("raised by what is not there")
		}
		if s := r.Stats(); s.Raised != 3 || s.Cancelled != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// Rates fall without updates, so something has to look.
func TestTimeAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, gauges.Config{})
		if _, err := r.Watch("app.n", api.NewThreshold{Condition: "rate(app.n, 4s) > 5 cancel < 1", Actions: api.Actions{Overflow: true}}); err != nil {
			t.Fatal(err)
		}
		r.set(t, "app.n", 0, time.Hour)
		time.Sleep(time.Second)
		r.set(t, "app.n", 100, time.Hour)
		if !r.lastOverflow() {
			t.Error("not raised")
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if r.lastOverflow() {
			t.Error("still raised when nothing has changed for six seconds")
		}
	})
}

// What is told of a crossing says all of it.
func TestCrossing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, gauges.Config{})
		n, err := r.Watch("app.n{item=/}", api.NewThreshold{Condition: "high(app.n{item=/})>5"})
		if err != nil {
			t.Fatal(err)
		}
		r.set(t, "app.n{item=/}", 7, time.Hour)
		now := time.Now()
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.crossed) != 1 {
			t.Fatalf("crossed %+v", r.crossed)
		}
		c := r.crossed[0]
		if c.Threshold != n.ID || c.Sequence != 1 || c.Node != "web1" || c.Gauge != "app.n{item=/}" || c.Statistic != "high(app.n{item=/})" ||
			c.Condition != "high(app.n{item=/}) > 5" || !c.Raised || *c.Value != 7 || !c.Time.Equal(now) {
			t.Errorf("%+v", c)
		}
	})
}

// Whatever is set, watched, taken away and forgotten at once: in the end
// overflow is raised if one that raises it is, and nobody waits for ever.
func TestFromManyGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, gauges.Config{Channels: new(board)})
		names := []string{"app.a", "app.b", "app.c"}
		var wg sync.WaitGroup
		for n := range 8 {
			random := rand.New(rand.NewPCG(uint64(n), 3))
			wg.Go(func() {
				var mine []api.Threshold
				for range 300 {
					name := names[random.IntN(len(names))]
					switch random.IntN(5) {
					case 0:
						n := api.NewThreshold{Condition: name + " > 1 cancel < 0", Actions: api.Actions{Overflow: random.IntN(2) == 0}}
						if random.IntN(2) == 0 {
							n.Event = &api.ChannelEvent{Channel: "alerts", Type: "x"}
						}
						if set, err := r.Watch(name, n); err != nil {
							t.Error(err)
						} else {
							mine = append(mine, set)
						}
					case 1:
						if len(mine) > 0 {
							if err := r.Unwatch(mine[0].Gauge, mine[0].ID); err != nil {
								t.Error(err)
							}
							mine = mine[1:]
						}
					case 2:
						r.Gauges()
						time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
					default:
						r.set(t, name, float64(random.IntN(5)-2), time.Second)
					}
				}
			})
		}
		wg.Wait()
		check := func(when string) {
			t.Helper()
			raised := 0
			for _, g := range r.Gauges() {
				for _, n := range g.Thresholds {
					holds := g.Value != nil && *g.Value > 1
					if n.Raised != holds && !(g.Value != nil && *g.Value >= 0) {
						t.Errorf("%s: %s at %v: raised is %v", when, n.Condition, g.Value, n.Raised)
					}
					if n.Raised && n.Overflow {
						raised++
					}
				}
			}
			if r.lastOverflow() != (raised > 0) || len(r.Raising()) != raised {
				t.Errorf("%s: overflow is %v, and %d raise it", when, r.lastOverflow(), raised)
			}
		}
		check("in the end")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		check("when all is absent")
		if r.lastOverflow() {
			t.Error("overflow is raised by what is absent")
		}
	})
}
