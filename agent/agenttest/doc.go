// Package agenttest runs whole agents in one test: gossip, links, balancers and
// HTTP over a network in memory, each before a small web server of its own.
// In a testing/synctest bubble a cluster of sixteen costs well under a second
// of real time, and the bubble's end is the check that nothing was left
// running.
//
//	synctest.Test(t, func(t *testing.T) {
//		c := agenttest.Start(t, agenttest.Config{Nodes: 4})
//		c.WaitLinked(t)
//		status, body := c.Nodes[0].Get(t, "/")
//	})
//
// # Vocabulary
//
// Node i is called web1, web2, ... and has a host of its own, 10.0.0.1,
// 10.0.0.2, ... on Cluster.Net, which can delay, lose, cut and partition. Stop
// ends a node as SIGTERM would; Kill ends it as SIGKILL would; Start starts it
// again under the same name and address.
//
// # Concurrency
//
// A Cluster and its Nodes are driven by the test's goroutine. Get may be
// called by any.
//
// # Limits
//
// The web servers answer with their node's name after Work of fake time and
// keep nothing else of what they are asked; a test that needs more hands in a
// Handler.
package agenttest
