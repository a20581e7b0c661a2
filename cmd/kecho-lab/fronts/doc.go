// Package fronts is what kecho-lab's bench front has besides the fronts that it
// measures: the web server behind them, relays and a Go proxy to hold them
// against, and the clients.
//
// # Vocabulary
//
// A front is whatever stands between clients and the web server. A stand is one
// process of this package: the web server (Web), a relay that copies bytes without
// looking at them (Relay: read and write; Splice: in the kernel), or
// httputil.ReverseProxy (ReverseProxy). A load is some connections that each have
// one request at a time.
//
// # Use
//
//	err := fronts.Serve(ctx, fronts.Stand{Kind: fronts.Web, Size: 1024}, os.Stdout)
//
// prints where it is as a line of JSON (Address) and serves until ctx ends.
//
//	load, err := fronts.Connect(ctx, address, 64, 1024)
//	took, err := load.Run(ctx, time.Second)              // closed loop
//	times, err := load.Pace(ctx, time.Second, 2000)      // open loop
//
// # Concurrency
//
// Serve blocks until ctx ends, and its connections end with its process. Run,
// Pace and Fetch block; a load does one of them at a time.
//
// # Limits
//
// The web server and the clients do as little as can be done, so that they leave
// their CPU to each other: the server looks for the end of a head and at its
// target, the clients look at the status and the length. Requests have no bodies.
// A client that gets anything but the 200 of the size that it expects says so and
// stops. An answer's first bytes must hold its head, in 16 KiB.
//
// # Testing
//
// The tests here run over loopback; e2e/frontbench_test.go runs all processes.
package fronts
