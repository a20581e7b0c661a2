// Package gauges is the gauges of a running agent and the thresholds on them:
// who sets a gauge and for how long, and what happens when a threshold is
// crossed. Package monitor has the arithmetic; this package gives it names that
// people may choose, times after which a value is not known any more, and
// actions.
//
// # Vocabulary
//
// A gauge has a source: the machine, whose gauges nobody else sets, or the API,
// the web server's answers, a polled URL, which set gauges with a dot in their
// names. A value holds until its time to live (TTL) is over; then the gauge is
// absent, never zero.
//
// A threshold is a condition of package monitor and what it does besides what
// all do, which is to be logged and told at /v1/events: raise overflow, submit
// an event on a channel, call a webhook. A crossing is one time that it is
// raised or cancelled.
//
//	cpu > 0.85 cancel < 0.7 do overflow
//	rate(app.errors, 10s) > 5 cancel < 1 do event=alerts/errors webhook=https://hooks.example/kecho
//
// # How it is used
//
//	table, err := gauges.New(gauges.Config{Rules: rules, Overflow: balancer.SetOverflow, ...})
//	err = table.Configure(api.NewThreshold{Condition: "cpu > 0.85 cancel < 0.7", ...})
//	go table.Run(ctx)
//	table.Feed(monitor.Key{Name: "cpu"}, gauges.Machine, &share, 0)
//	api.NewHandler(api.Config{Gauges: table, ...})
//
// # Concurrency
//
// All methods may be called by any goroutine. Overflow and Crossed are called
// in the update that crosses, while the gauge's own order is held, so they must
// not call the table. Events and webhooks are told by Run: each threshold has
// an outbox, and one goroutine while something is in it, so a receiver that is
// slow or away holds up nobody, not even another threshold's.
//
// # Limits
//
// 1,000 gauges besides the machine's, of which absent ones that nobody watches
// make room for new ones; 256 thresholds; 16 crossings in an outbox, of which
// the oldest is dropped and counted when there are more. A webhook has 5 s a
// try and 5 minutes in all, with pauses of 0.5 s doubling to 30 s between; an
// answer of 2xx is success, one of 408, 429 or 5xx and none at all are tried
// again, any other is the end. Redirections are not followed. What is not told
// when the agent stops is not told.
//
// # Testing
//
// The tests run in fake time over a network in memory.
package gauges
