// Package live measures clusters of real agents: processes of the kecho
// command before real web servers, asked at recorded moments, and held against
// one central queue that gets the same requests (sim.Replay).
//
// # Vocabulary
//
// A run is one scenario under one policy. Its hosts are the web servers, all in
// one process of their own, each with a few workers; a worker is busy with a
// request for as long as its client says in a header, so that the replay knows
// the same. A front is what stands before the hosts: an agent each, or one
// HAProxy as a reference from outside. A record is one request: when it was due,
// when it was sent, by which node's client, for how long it kept a worker, and
// what it came to. An execution is what a host's worker did for a request: by
// them it is counted what ran twice and what nobody got. A run is busy, and its
// times are not to be trusted, when the machine itself made requests late.
//
// Leases measures something else: how long contenders, a cluster of agents and
// clusters of etcd, take to give a lease, in turns on one disk. Channels measures
// media, each a source and its sinks as processes (package events), over kecho's
// links or a NATS server: how long events take and what they cost, in turns. Fronts
// measures doors, an agent, HAProxy, nginx and others before one web server (package
// fronts): what a request costs them, in turns, on a CPU of their own.
//
// # Use
//
//	result, err := live.Run(ctx, live.Config{
//		Scenario: scenario, Policy: "auto", Kecho: "/usr/bin/kecho",
//		Hosts: []string{"/usr/bin/kecho-lab", "bench", "hosts"},
//	})
//
// The process that Hosts starts calls Host.
//
//	result, err := live.Leases(ctx, live.LeaseConfig{Kecho: "/usr/bin/kecho", Etcd: "/usr/bin/etcd"})
//	result, err := live.Channels(ctx, live.ChannelConfig{
//		Station: []string{"/usr/bin/kecho-lab", "bench", "station"}, NATS: "/usr/bin/nats-server",
//	})
//	result, err := live.Fronts(ctx, live.FrontsConfig{
//		Kecho: "/usr/bin/kecho", HAProxy: "/usr/sbin/haproxy", Stand: []string{"/usr/bin/kecho-lab", "bench", "stand"},
//	})
//
// # Concurrency
//
// Run, Leases, Channels and Fronts block, and have ended all that they started when they return,
// processes too; when this process is killed they die with it (Linux). Runs do not share
// anything but the machine, which is why two at once measure nothing.
//
// # Limits
//
// The load is open-loop: a response time counts from when its request was due
// (what else hides is called coordinated omission, see wrk2). A run keeps some
// 200 bytes a request. CPU times and whether the machine is busy are read from
// /proc and are 0 elsewhere; a node that was killed takes the counts of its
// events with it, up to when it was killed.
//
// The load of Leases is closed-loop: a client takes, gives back and takes again.
// Its directories stay behind when this process is killed. Fronts has this process
// stay on one CPU from then on.
//
// # Testing
//
// The tests here are of what is pure; e2e/lab_test.go, e2e/leasebench_test.go,
// e2e/channelbench_test.go and e2e/frontbench_test.go run small ones.
package live
