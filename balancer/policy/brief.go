package policy

import "time"

// brief is how short services of this node's web server are: what is begun with
// less time left is begun for nothing.
type brief struct {
	// tenth is about what the shortest tenth of them takes at most.
	tenth time.Duration
	// least is the shortest of the last leastOf to 2 x leastOf.
	least [2]time.Duration
	count int // of them in least[1]
	hasty int // that were tried against all odds, or not
}

const (
	leastOf   = 64
	tenthStep = 0.05 // how far one service can move it
	// tryEvery of those that are too late for anything that was seen lately, one
	// is begun at an idle server: else a kind of request that is always short
	// and always urgent is never seen again.
	tryEvery = 16
)

// note counts one service.
func (b *brief) note(took time.Duration) {
	took = max(took, 1)
	if b.tenth == 0 {
		b.tenth, b.least = took, [2]time.Duration{took, took}
	}
	// It rests where nine rises weigh as much as one fall.
	step := 0.1
	if took < b.tenth {
		step = -0.9
	}
	b.tenth = max(b.tenth+time.Duration(step*tenthStep*float64(b.tenth)), 1)
	if b.count++; b.count > leastOf {
		b.least, b.count = [2]time.Duration{b.least[1], took}, 1
	}
	b.least[1] = min(b.least[1], took)
}

// hopeless reports whether a request is better not begun that has so much time
// left. Where others wait for the place that is so when nine in ten services
// take longer: of ten that are given up one would have been in time, and
// refusing wrongly is worse than trying. Where nobody waits it costs nothing to
// try what was done in that time lately, however seldom.
func (b *brief) hopeless(left time.Duration, crowd bool) bool {
	if left <= 0 {
		return true
	}
	if crowd {
		return left < b.tenth
	}
	if !b.late(left) {
		return false
	}
	b.hasty++
	return b.hasty%tryEvery != 0
}

// late reports whether none was done in that time lately.
func (b *brief) late(left time.Duration) bool { return left < min(b.least[0], b.least[1]) }

// learn notes how long the web server took: weight .05.
func (c *Core) learn(took time.Duration) {
	c.brief.note(took)
	c.spread.note(took)
	if !c.measured {
		c.measured, c.service = true, max(took, 1)
		return
	}
	c.service = max(c.service+(took-c.service)/20, 1)
}
