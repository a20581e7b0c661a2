// Package agent puts the parts of kecho together: one Agent is one node, a web
// server's front and a member of the cluster.
//
// # The whole picture
//
// An agent runs beside each web server of a cluster and stands before it. A
// request that the server has a place for goes there and nowhere else. When
// all places are taken, the request is offered to a few peers, and goes as an
// event to the first that has a place: its agent has its own web server answer,
// and the answer comes back as events. There is no central balancer and no control plane: agents meet on event
// channels.
//
//	       client                                   peers
//	         |                                        |
//	     balancer  --- data channel ------------+     |
//	     |      |                               |     |
//	web server  core, queue                   channel --- filters
//	                                            |
//	host feed --- load reports --- monitoring --+-- links     (who can be used)
//	                                            +-- registry  (who exists)
//
// From the bottom up:
//
//   - channel/registry says who exists and which channels they have open, by
//     gossip (serf).
//   - channel/link has one connection to each of them, with three priorities
//     and bounded queues, and is the judge of whether a peer can be used.
//   - channel makes events of what is submitted: an OUT-filter picks the sinks,
//     an IN-filter what is let in. What a node describes itself with, its load
//     first, is stamped on every event.
//   - filters has the stock filters.
//   - balancer/clients bounds how many connections clients may have, and closes
//     idle ones for others.
//   - balancer decides, with the pure core of balancer/policy, what
//     runs here and what goes elsewhere, and carries bodies of any size both
//     ways with bounded memory.
//   - resmgr/monitor/host reads the machine and the container. agent/gauges
//     has what it reads, and what applications say, as gauges of
//     resmgr/monitor; thresholds on them raise overflow in the balancer, so
//     that requests go to peers although there are places here, submit events,
//     and call webhooks. load.go hears what the application says of its load
//     (agent/orca), outward.go tells who stands before the agent.
//   - resmgr leases this node's processors, memory and what else it has to
//     programs on any node, and asks the others for its own node's programs;
//     resmgr/journal keeps on the disk what was leased. When it cannot be kept
//     the node leases nothing, and everything else goes on.
//   - channel/gateway joins two clusters where an agent is told to (--gateway-*):
//     gateway.go is its node in the other one, which may be missing without harm.
//   - agent opens the channels, reports the load and answers the API
//     (agent/api, agent/metrics).
//
// The path of one request: balancer.ServeHTTP, core, then either the web
// server (local.go), or forward.go -> channel.Submit -> link.Send, and at the
// peer link's reader -> channel -> balancer's serve.go -> its web server, and
// back.
//
// Load takes as short a way: each second, and within 100 ms of a change, an
// agent submits an empty event on the monitoring channel; its load is in the
// description that the event carries, as every other event does.
//
// # How it is used
//
//	a, err := agent.New(agent.Config{Name: "web1", Upstream: "http://127.0.0.1:9000"})
//	err = a.Run(ctx) // until ctx is done, then it drains
//
// A Go web server can have its agent inside: the handler is the web server, and
// a request that has a place is the handler's own call, with the client's
// ResponseWriter and Request and nothing added.
//
//	node, err := agent.New(agent.Config{Name: "web1", Embedded: true, SoftLimit: 64})
//	server := &http.Server{Addr: ":8080", Handler: node.Middleware(mux)}
//	go node.Run(ctx) // ends after server.Shutdown: what is in flight may be at a peer
//	err = server.ListenAndServe()
//
// examples/middleware is a whole one.
//
// # Lifecycle
//
// Run starts the layers from the bottom up and stops them in reverse, each
// whole before the next. Before the first is stopped the agent is draining:
// readiness fails and peers are told. Stopping the HTTP layer closes the
// listener and waits for what is in flight, of clients and of peers; then the
// balancer ends, gossip says goodbye, the links do, and the API is the last to
// go.
//
// # Concurrency
//
// An Agent is run once. Two whole agents run in one process without sharing
// anything.
//
// # Limits
//
// Config has them, with their defaults; the packages below say theirs.
//
// # Testing
//
// agenttest runs clusters of whole agents in fake time.
package agent
