package link

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
)

// In a flood of bulk little is not written at once, unless something comes that
// must not wait.
func TestLingers(t *testing.T) {
	const frame, few = 200, 50
	for name, c := range map[string]struct {
		limit int // Config.QueueFrames
		after func(t *testing.T, l *link)
		want  time.Duration // how long the few that came last waited
	}{
		"little":          {want: lingerFor},
		"much":            {after: func(t *testing.T, l *link) { submit(t, l, bulk, lingerBytes/frame, frame) }},
		"an urgent frame": {after: func(t *testing.T, l *link) { submit(t, l, urgent, 1, frame) }},
		"a normal frame":  {after: func(t *testing.T, l *link) { submit(t, l, normal, 1, frame) }},
		"a ping":          {after: func(_ *testing.T, l *link) { l.control(kindPing, make([]byte, 8)) }},
		"no room": {limit: few * 3 / 2, after: func(t *testing.T, l *link) {
			if err := l.send(t.Context(), order{ln: bulk, try: true}, make([]byte, frame)); !errors.Is(err, channel.ErrQueueFull) {
				t.Errorf("got %v, want ErrQueueFull", err)
			}
		}},
		"who waits for room": {limit: few * 3 / 2, after: func(t *testing.T, l *link) { submit(t, l, bulk, 1, frame) }},
		"the end":            {after: func(_ *testing.T, l *link) { l.finish() }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, wrote := writtenLink(t, Config{QueueFrames: c.limit})
				defer l.close(ErrDraining)
				tr := l.tracks[0]
				tr.full, tr.flood = streamMost, true
				submit(t, l, bulk, few, frame)
				if c.after != nil {
					synctest.Wait()
					c.after(t, l)
				}
				if waited := wrote(); waited != c.want {
					t.Errorf("little of a flood waited for %v, want %v", waited, c.want)
				}
				if c.after != nil {
					return
				}
				time.Sleep(time.Second)
				submit(t, l, bulk, 1, frame)
				if wrote(); tr.flood {
					t.Error("one frame a second is a flood")
				}
			})
		})
	}
}

func TestFloods(t *testing.T) {
	var tr track
	now := int64(time.Second)
	for _, step := range []struct {
		frames int
		after  time.Duration
		want   bool
	}{{100, time.Second, false}, {100, 100 * floodGap, false}, {100, 99 * floodGap, true}, {0, floodGap, false}, {1, 0, true}} {
		now += int64(step.after)
		if tr.floodsLocked(now, step.frames); tr.flood != step.want {
			t.Errorf("%d frames in %v: a flood is %v, want %v", step.frames, step.after, tr.flood, step.want)
		}
	}
}

func submit(t *testing.T, l *link, ln lane, n, size int) {
	t.Helper()
	for range n {
		if err := l.send(t.Context(), order{ln: ln}, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
}

// writtenLink is a link whose writer runs, and how long from now it takes until
// something is written.
func writtenLink(t *testing.T, cfg Config) (*link, func() time.Duration) {
	l, far := idleLink(t, cfg)
	came := make(chan time.Time, 1)
	go func() {
		for buf := make([]byte, 1<<20); ; {
			if _, err := far.Read(buf); err != nil {
				return
			}
			select {
			case came <- time.Now():
			default:
			}
		}
	}()
	go l.write(l.tracks[0])
	return l, func() time.Duration {
		now := time.Now()
		waited := (<-came).Sub(now)
		synctest.Wait()
		select {
		case <-came: // what else was written then
		default:
		}
		return waited
	}
}
