//go:build !linux

package alarm

import (
	"context"
	"time"
)

// Alarm wakes one goroutine at a time; here by a timer, which may be a
// millisecond late.
type Alarm struct{}

// New makes an alarm; Close it.
func New() (*Alarm, error) { return &Alarm{}, nil }

// Sleep waits for d; false when ctx ended first.
func (*Alarm) Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Close frees it; nobody may be asleep.
func (*Alarm) Close() {}
