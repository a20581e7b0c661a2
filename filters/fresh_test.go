package filters

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"kecho/channel"
)

func TestFresh(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, sinks := drawEvent(t), drawSinks(t)
		maxAge := time.Duration(rapid.IntRange(0, 8).Draw(t, "max age")) * time.Second / 2
		oldest := maxAge
		if oldest == 0 {
			oldest = DefaultMaxAge
		}
		reads := 0
		f := Fresh(maxAge, func() time.Time { reads++; return start })
		want := naive(sinks, func(s channel.Sink) bool {
			return s.Local || !s.Heard.Before(start.Add(-oldest))
		})
		mustKeep(t, f, e, sinks, want)
		if reads != 1 {
			t.Fatalf("the clock was read %d times for one event", reads)
		}
	})
}

func TestFreshByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := Fresh(0, nil)
		sinks := []channel.Sink{{Node: 1, Heard: time.Now()}, {Node: 2}}
		time.Sleep(DefaultMaxAge)
		if got := nodesOf(f(anEvent(), append([]channel.Sink(nil), sinks...))); len(got) != 1 || got[0] != 1 {
			t.Errorf("at the limit: kept %v, want node 1 and not the one never heard", got)
		}
		time.Sleep(time.Nanosecond)
		if got := f(anEvent(), sinks); len(got) != 0 {
			t.Errorf("past the limit: kept %v", nodesOf(got))
		}
	})
}
