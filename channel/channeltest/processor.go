package channeltest

import "runtime"

// OneProcessor lets all goroutines of the process take turns when the race detector
// is on. A TestMain calls it where serf runs in bubbles of testing/synctest: up to
// Go 1.26 at least, two goroutines of a bubble that find their tickers due at once
// use one context of the detector, which breaks in it (golang/go#78156), and
// memberlist does so whenever a probe took longer than its tick. The detector
// compares what happened before what, so it finds races on one processor too.
func OneProcessor() {
	if raceIsOn {
		runtime.GOMAXPROCS(1)
	}
}
