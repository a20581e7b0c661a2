// Package alarm sleeps more precisely than the runtime's timers, which are up to
// a millisecond late: the whole of a short service, and of the time between two
// events.
//
//	a, err := alarm.New()
//	defer a.Close()
//	for a.Sleep(ctx, until(next)) { ... }
//
// # Concurrency
//
// An Alarm is for one goroutine at a time.
//
// # Limits
//
// Elsewhere than on Linux it is a timer of the runtime's.
package alarm
