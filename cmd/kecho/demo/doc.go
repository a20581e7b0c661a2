// Package demo is what `kecho demo` is made of: a web server that can do only
// so much, a load that does not care, and a whole cluster of both with agents
// in between, measured with and without balancing.
//
// # Vocabulary
//
// A Web is a web server with a few workers, each busy for a fixed time with a
// request (38 ms, the figure of the paper's measurements); who finds no free
// worker waits in line. A Load is open-loop: it sends at the moments that a
// Poisson process says, whether or not earlier requests were answered, and
// counts a response time from the moment that the request was due; or at the
// moments of a plan that it is given. A Cluster
// is one Web and one agent a node, in this process, over real sockets on free
// loopback ports. A phase is one Load on one arrangement of a Cluster.
//
// # How it is used
//
//	web := demo.NewWeb(demo.WebConfig{Name: "web1"})
//	http.Serve(listener, web)
//
//	load, err := demo.NewLoad(demo.LoadConfig{Target: "http://127.0.0.1:8080/", Rate: 200, Duration: 10 * time.Second})
//	result, err := load.Run(ctx)
//
// # Concurrency
//
// A Web serves any number of requests at once. A Load and a Cluster are run
// once, by one goroutine; Run has ended all that it started when it returns.
//
// # Limits
//
// A Web reads at most 64 KiB of a request's body before it begins to work; the
// rest is echoed as it comes. A Load has at most InFlight requests open (2,000
// by default) and keeps 8 bytes for each request that was answered.
//
// The package has no test helpers: its tests run in synctest bubbles with an
// http.RoundTripper of their own.
package demo
