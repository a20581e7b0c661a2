// Command kecho-lab is where the product is measured: simulations of clusters
// (docs/sim.md) and real processes, of web servers, of who gives leases and of
// who hears events (docs/bench.md), kept out of the agent's binary.
//
//	kecho-lab sim --scenario uniform-.8,hot-4x --policy none,auto --seconds 600
//	kecho-lab bench cluster --scenario uniform-.8,hot-4x --policy none,auto --haproxy
//	kecho-lab bench lease --nodes 3,16 --clients 1,64 --etcd
//	kecho-lab bench channel --sinks 8 --size 100,1000 --quic --nats
//	kecho-lab bench paper
//
// Data goes to standard output, progress to standard error, sim's only on a
// terminal or with --progress. Exit codes: 0 ok, 1 failed, 2 usage.
package main
