package channel

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// A random history of setting, moving and stopping: each timer fires when it
// was last told to, and no other time.
func TestTimersAgainstList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(5, 6))
		start := time.Now()
		now := func() time.Duration { return time.Since(start) }
		ts := timers{wake: make(chan struct{}, 1)}
		var all [50]timer
		var want [50]time.Duration // zero: none
		for i := range all {
			all[i].fire = func() {
				if now() != want[i] {
					t.Errorf("timer %d fires at %v, want %v", i, now(), want[i])
				}
				want[i] = 0
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { ts.run(ctx, now); close(done) }()
		for range 3000 {
			time.Sleep(time.Duration(rnd.IntN(20)) * time.Millisecond)
			synctest.Wait()
			i := rnd.IntN(len(all))
			if rnd.IntN(4) == 0 {
				ts.stop(&all[i])
				want[i] = 0
				continue
			}
			want[i] = now() + time.Duration(1+rnd.IntN(500))*time.Millisecond
			ts.set(&all[i], want[i])
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for i, at := range want {
			if at != 0 {
				t.Errorf("timer %d did not fire at %v", i, at)
			}
		}
		cancel()
		<-done
	})
}

func BenchmarkTimers(b *testing.B) {
	ts := timers{wake: make(chan struct{}, 1)}
	others := make([]timer, 10_000)
	for i := range others {
		ts.set(&others[i], time.Duration(i))
	}
	var t timer
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ts.set(&t, time.Duration(i*7919%10_000))
		ts.stop(&t)
	}
}
