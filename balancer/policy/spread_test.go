package policy

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// TestUneven: offers reach further where service times differ much, and not
// where messages have been too many lately.
func TestUneven(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, k := range map[string]struct {
		draw    func() float64 // of 5 ms
		busy    bool           // messages are too many
		offered bool
	}{
		"fixed":          {func() float64 { return 1 }, false, false},
		"uniform":        {func() float64 { return 2 * random.Float64() }, false, false},
		"bimodal":        {func() float64 { return []float64{.53, 5.27}[int(random.Float64()+.1)] }, false, true},
		"bimodal, busy":  {func() float64 { return []float64{.53, 5.27}[int(random.Float64()+.1)] }, true, false},
		"lognormal":      {func() float64 { return math.Exp(1.2*random.NormFloat64() - .72) }, false, true},
		"few, and equal": {nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := NewCore(Config{Places: 1, Service: 5 * time.Millisecond})
			for range 20 * spreadOf {
				if k.draw != nil {
					c.spread.note(time.Duration(k.draw() * float64(5*time.Millisecond)))
				}
			}
			c.SetRoundTrip(2 * time.Millisecond) // c·R is .4 of S
			if c.pulling(&Request{}) {
				t.Fatal("offers where they cost too much")
			}
			c.SetRoundTrip(time.Millisecond) // .2
			if k.busy {
				c.governor.note(time.Minute, 1e7)
				c.governor.note(time.Minute+time.Second, 0)
			}
			if got := c.pulling(&Request{}); got != k.offered {
				t.Errorf("offered: %v, want %v", got, k.offered)
			}
			if k.busy {
				c.governor.note(time.Minute+rest, 0)
				if !c.pulling(&Request{}) {
					t.Error("not offered again after a rest")
				}
			}
		})
	}
}
