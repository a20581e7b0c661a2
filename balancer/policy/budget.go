package policy

import "time"

// Budget bounds extra copies of requests: retries after a loss, races. Each
// request earns a share of one, and time earns some more, so that a quiet
// node has some too; docs/design.md, "Limits": 20 % of requests + 10 a second.
// It begins with its first use, with what a second earns. The zero value works.
type Budget struct {
	// Share is what each request earns. Zero: 0.2.
	Share float64
	// Rate is what each second earns. Zero: 10.
	Rate float64
	// Burst is the most that is kept. Zero: 100.
	Burst float64

	tokens  float64
	at      time.Duration
	started bool
}

func (b *Budget) advance(now time.Duration) {
	if !b.started {
		b.started = true
		setZero(&b.Share, 0.2)
		setZero(&b.Rate, 10)
		setZero(&b.Burst, 100)
		b.tokens, b.at = b.Rate, now
	}
	b.tokens = min(b.Burst, b.tokens+b.Rate*(now-b.at).Seconds())
	b.at = now
}

func setZero(field *float64, value float64) {
	if *field == 0 {
		*field = value
	}
}

// Earn counts one request.
func (b *Budget) Earn(now time.Duration) {
	b.advance(now)
	b.tokens = min(b.Burst, b.tokens+b.Share)
}

// Return gives n copies back that were spent and not sent.
func (b *Budget) Return(now time.Duration, n int) {
	b.advance(now)
	b.tokens = min(b.Burst, b.tokens+float64(n))
}

// Spend reports whether there is room for n extra copies, and takes it.
func (b *Budget) Spend(now time.Duration, n int) bool {
	b.advance(now)
	if b.tokens < float64(n) {
		return false
	}
	b.tokens -= float64(n)
	return true
}
