package sim

import (
	"context"
	"errors"
	"math"
	"os"
	"reflect"
	"testing"
	"time"
)

// nightly has tests simulate all that they can, by KECHO_NIGHTLY=1; without they
// simulate what shows most.
var nightly = os.Getenv("KECHO_NIGHTLY") != ""

// some is the first n of what is simulated, or nightly all.
func some[T any](n int, all ...T) []T {
	if nightly {
		return all
	}
	return all[:n]
}

// simulate runs a named scenario.
func simulate(t *testing.T, name string, p Policy, seconds float64) Result {
	t.Helper()
	s, err := Named(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), Config{Scenario: s, Policy: p, Seconds: seconds, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestOverload: more than there is room for is refused, and the servers do
// what they can.
func TestOverload(t *testing.T) {
	for _, name := range []string{"overload-1.2", "overload-2.5"} {
		if r := simulate(t, name, Auto, 60); r.Goodput < .97 || r.Late > 0 {
			t.Errorf("%s: goodput %.3f of capacity, %.4f late", name, r.Goodput, r.Late)
		}
	}
}

// TestBalancingHelps: without, a hot node's clients wait until they give up;
// the simulator shows what the policies are for.
func TestBalancingHelps(t *testing.T) {
	none, paper, push := simulate(t, "hot-4x", None, 60), simulate(t, "hot-4x", Paper, 60), simulate(t, "hot-4x", Push, 60)
	offers := simulate(t, "hot-4x", Offers, 60)
	if !(none.P99 > paper.P99 && paper.P99 > push.P99 && push.P99 > offers.P99) {
		t.Errorf("p99: none %.0f, paper %.0f, push %.0f, offers %.0f ms", none.P99, paper.P99, push.P99, offers.P99)
	}
	if paper.P50 < 2500 || paper.P50 > 2700 {
		t.Errorf("the paper's policy has a median of %.0f ms, want the 2.5 s that it waits", paper.P50)
	}
	if none.Control != 0 || none.Moved != 0 || offers.Control == 0 || offers.Moved == 0 {
		t.Error("messages:", none.Control, offers.Control, "moved:", none.Moved, offers.Moved)
	}
}

// TestSameArrivals: policies see the same requests, and a run can be repeated.
func TestSameArrivals(t *testing.T) {
	a, b := simulate(t, "death", Auto, 30), simulate(t, "death", Auto, 30)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("two runs of one configuration:\n%+v\n%+v", a, b)
	}
	if c := simulate(t, "flash", Push, 30); c.Requests != simulate(t, "flash", Central, 30).Requests {
		t.Error("two policies saw different requests")
	}
}

// TestLoss: messages that are lost cost little, and no place. What is lost
// twice waits until its time is over: it is begun anew only once.
func TestLoss(t *testing.T) {
	s, _ := Named("hot-4x")
	r, err := Run(t.Context(), Config{Scenario: s, Policy: Auto, Seconds: 120, Loss: .05})
	if err != nil {
		t.Fatal(err)
	}
	central := simulate(t, "hot-4x", Central, 120)
	if r.P99 > 1.5*central.P99 || r.Refused > .001 || r.Failed > 0 || r.Late > .003 || r.Wasted > .03 {
		t.Errorf("of 5 %% lost messages: %+v", r)
	}
}

func TestDists(t *testing.T) {
	for _, d := range []Dist{Exponential, Fixed, Lognormal, Bimodal} {
		r, sum := stream(1, "test"), time.Duration(0)
		const n = 200_000
		for range n {
			sum += d.draw(r, time.Millisecond)
		}
		if mean := sum / n; mean < 985*time.Microsecond || mean > 1015*time.Microsecond {
			t.Errorf("%s: the mean is %v, want 1 ms", d, mean)
		}
	}
}

func TestRunErrors(t *testing.T) {
	good := Config{Scenario: Scenario{Base: .5}, Policy: Auto, Seconds: 1}
	if _, err := Run(t.Context(), good); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Config){
		"nodes": func(c *Config) { c.Nodes = -1 }, "seconds": func(c *Config) { c.Seconds = -1 },
		"loss": func(c *Config) { c.Loss = 1 }, "delay": func(c *Config) { c.Delay = -1 },
		"policy": func(c *Config) { c.Policy = "magic" }, "scenario": func(c *Config) { c.Scenario = Scenario{} },
		"copies": func(c *Config) { c.Policy, c.Copies.Most = Race, 6 }, "nan": func(c *Config) { c.Seconds = math.NaN() },
	} {
		c := good
		change(&c)
		if _, err := Run(t.Context(), c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	good.Seconds = 1000
	if _, err := Run(ctx, good); !errors.Is(err, cause) {
		t.Error("a run that is to end:", err)
	}
	if _, err := Named("nowhere"); err == nil {
		t.Error("a scenario that is not there has no error")
	}
}

// BenchmarkThousand is a second of 1,000 nodes at .8.
func BenchmarkThousand(b *testing.B) {
	s, _ := Named("uniform-.8")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Run(b.Context(), Config{Scenario: s, Policy: Auto, Nodes: 1000, Seconds: 1}); err != nil {
			b.Fatal(err)
		}
	}
}
