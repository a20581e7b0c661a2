package policy

import "time"

// drainRate is how many requests leave the queue in a second, to be served here
// or elsewhere.
type drainRate struct {
	since time.Duration
	count int
	rate  float64 // of the last whole window
	whole bool    // there was one
}

// drainWindow is how long is counted for a rate.
const drainWindow = time.Second

// note counts one that left.
func (d *drainRate) note(now time.Duration) {
	d.advance(now)
	d.count++
}

func (d *drainRate) advance(now time.Duration) {
	if passed := now - d.since; passed >= drainWindow {
		d.rate, d.whole = float64(d.count)/passed.Seconds(), true
		d.since, d.count = now, 0
	}
}

// drain is how long it takes until those have left the queue that wait and are
// as urgent as class or more, at the rate of the last seconds; an hour when
// nothing leaves it.
func (c *Core) drain(now time.Duration, class Class) time.Duration {
	c.leaving.advance(now)
	rate := max(c.leaving.rate, float64(c.leaving.count)/drainWindow.Seconds())
	if !c.leaving.whole {
		rate = max(rate, float64(c.cfg.Places)/c.service.Seconds())
	}
	n, _ := c.queue.upTo(class)
	if float64(n) >= 3600*rate {
		return time.Hour
	}
	return time.Duration(float64(n) / rate * float64(time.Second))
}

// predicted is how long one more request of a class would wait here.
func (c *Core) predicted(class Class) time.Duration {
	if c.vacant() > 0 && c.queue.len() == 0 {
		return 0
	}
	ahead, _ := c.queue.upTo(class)
	return time.Duration(float64(ahead+1) * float64(c.service) / float64(c.cfg.Places))
}

// What a client that is refused is told at least, how much more at most by
// chance, and the most that it is told at all.
const (
	retryLeast  = time.Second
	retryJitter = 2 * time.Second
	retryLast   = 30 * time.Second
)

// RetryAfter is when a client that is refused is to come again: when what waits
// is gone, which takes drain, and a while after that by chance, so that those
// who are refused together do not come back together. chance is in [0, 1).
// What comes out is 1 s to 30 s.
func RetryAfter(drain time.Duration, chance float64) time.Duration {
	drain = min(max(drain, 0), (retryLast-retryLeast-retryJitter)*2/3)
	return drain + retryLeast + time.Duration(chance*float64(drain/2+retryJitter))
}
