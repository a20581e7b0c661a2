// Package resmgr lets any program on any node ask the cluster for resources
// and be sure that nobody else was given the same.
//
// # Vocabulary
//
// A resource is a Kind of thing with a Quantity: 2 processors, 512 MiB, one
// gpu. A manager has some of them, all on one node, and tags that describe
// them. A Request names what it needs (Amounts), from how many nodes, from
// which managers (Selector over their Tags) and which are best (Criteria). A
// manager that can give it sets it aside and says so (Offer); one that cannot
// says why (Reason). Who asked accepts the best offers and declines the others.
// The manager's answer is a Lease: the resources are the holder's until it
// releases them or does not renew in time. Its Fence is a number that rises with
// each grant of the manager for ever.
//
// This is the resource manager of the KECho paper (section 3), with leases,
// fences and a journal added.
//
// # Concurrency
//
// Values of this package's types may be read by any number of goroutines; a
// Selector never changes.
//
// # Limits
//
// A request has at most MaxKinds kinds, MaxNodes nodes, a TTL from MinTTL to
// MaxTTL and waits for MaxWait at most; a text form is at most 1,024 bytes. All
// of a request's kinds come from one manager of each node.
//
// # Testing
//
// The parsers are fuzzed and held to what they print.
package resmgr
