package policy

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestTenth: it comes to where a tenth of the services are shorter, and follows.
func TestTenth(t *testing.T) {
	for name, c := range map[string]struct {
		draw func(r *rand.Rand) float64 // in ms
		want float64
	}{
		"fixed":       {func(*rand.Rand) float64 { return 40 }, 40},
		"exponential": {func(r *rand.Rand) float64 { return 40 * r.ExpFloat64() }, 4.2},
		"uniform":     {func(r *rand.Rand) float64 { return 100 * r.Float64() }, 10},
		"two kinds": {func(r *rand.Rand) float64 {
			if r.IntN(2) == 0 {
				return 1
			}
			return 1000
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var b brief
			r := rand.New(rand.NewPCG(1, 2))
			for range 500 {
				b.note(time.Second)
			}
			sum, n := 0.0, 0
			for i := range 5000 {
				b.note(time.Duration(c.draw(r) * float64(time.Millisecond)))
				if i > 2000 {
					sum += b.tenth.Seconds() * 1e3
					n++
				}
			}
			if got := sum / float64(n); got < .75*c.want || got > 1.35*c.want {
				t.Errorf("a tenth is below %.2f ms, want about %.2f", got, c.want)
			}
		})
	}
}

func TestHopeless(t *testing.T) {
	var b brief
	if b.hopeless(1, true) || b.hopeless(1, false) || !b.hopeless(0, false) {
		t.Error("nothing was measured: all but what is over is tried")
	}
	for i := range 1000 {
		took := 40 * time.Millisecond
		if i%50 == 0 {
			took = 2 * time.Millisecond
		}
		b.note(took)
	}
	if !b.hopeless(20*time.Millisecond, true) || b.hopeless(50*time.Millisecond, true) {
		t.Error("where others wait it goes by the tenth, which is", b.tenth)
	}
	if b.hopeless(2*time.Millisecond, false) {
		t.Error("what was done in that time lately is not tried at an idle server")
	}
	tried := 0
	for range 10 * tryEvery {
		if !b.hopeless(time.Millisecond, false) {
			tried++
		}
	}
	if tried != 10 {
		t.Errorf("%d of %d were tried that are shorter than anything seen, want 10", tried, 10*tryEvery)
	}
	for range 2*leastOf + 1 {
		b.note(40 * time.Millisecond)
	}
	if !b.hopeless(2*time.Millisecond, false) {
		t.Error("what was long ago still counts")
	}
}
