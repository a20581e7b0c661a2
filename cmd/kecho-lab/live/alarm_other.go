//go:build !linux

package live

import (
	"context"
	"time"
)

// alarm wakes one goroutine at a time; here by a timer, which may be a
// millisecond late.
type alarm struct{}

func newAlarm() (*alarm, error) { return &alarm{}, nil }

// sleep waits for d; false when ctx ended first.
func (*alarm) sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (*alarm) close() {}
