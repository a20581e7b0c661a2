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
// # Use
//
// A Manager is a node's part in the group of those that have its channel open:
//
//	resources, err := node.Open("resources")
//	m, err := resmgr.New(resmgr.Config{
//		Node: node, Channel: resources, Journal: journal,
//		Shares: []resmgr.Share{{Name: "web1", Capacity: capacity, Tags: tags}},
//	})
//	go m.Run(ctx)
//	grant, err := m.Request(ctx, resmgr.Request{Holder: "job 7", Needs: needs, Wait: time.Minute})
//	lease, err := m.Renew(ctx, grant.Leases[0].ID, "job 7", 0) // each third of its TTL
//	err = m.Release(ctx, lease.ID, "job 7")
//
// Read request.go and lease.go first, then granter.go and asker.go, then
// manager.go. spec.md is what travels.
//
// Both sides are pure state machines, which the Manager tells what happens and
// asks what to do. A Granter is one manager of resources: what it has, to whom it
// gave it, who waits. An Asker is one node's clients: what they want and have.
//
//	out = granter.Receive(now, from, &message, out[:0])  // a node's message
//	out = granter.Written(now, seq, err, out)            // the journal is that far
//	asking, fresh, out, err := asker.Open(now, request, false, out)
//	for _, e := range out {
//		switch e.Do {
//		case resmgr.DoSend:   // e.Message goes to e.To
//		case resmgr.DoSubmit: // e.Message goes to everybody; then asker.Asked
//		case resmgr.DoWrite:  // e.Record goes to the journal; then granter.Written
//		case resmgr.DoDone:   // e.Asking, or e.Call, is over
//		case resmgr.DoChange: // e.Change happened to a lease
//		...
//
// # What holds
//
// The leases and holds of a manager never exceed its capacity. A grant is on the
// disk before it is said. A holder counts its time from before it asked, so it
// must have stopped before anybody else can have what it had, by clocks that
// only have to run equally fast. After a restart a lease is held for its whole
// TTL, for nobody knows when it was last renewed. A fence is never given twice:
// every node remembers the highest that it heard of each manager (Fences), and a
// manager whose journal turns out to be an older copy grants nothing until
// everything that it may have forgotten is over. It cannot turn out where nobody
// who knew is left or heard.
//
// The same message twice, late or in another order is harmless. The same request
// id by the same holder has one lease at each manager, whichever node it is asked
// through; two nodes that are asked at the same time may find different managers.
//
// # Who is asked
//
// A request goes to the nodes with room by their last report, if there are
// enough. One that takes the first offers, without an id that somebody may have
// granted before, goes to this node alone if that has room and one is needed,
// else to two nodes more than it needs, not always the same. When they do not
// offer enough everybody is asked at once.
//
// # Concurrency
//
// Every method of Manager may be called by any goroutine. Run owns two: one for
// what is due, one for the journal, which writes all that waits at once; the end
// of a lease waits up to 50 ms for a grant to go with. One lock
// is around the state machines; what they say is done after it is released, in
// order, by whoever was there first. Changed is called there, so it may call the
// Manager but must not block.
//
// A Granter and an Asker have no locks: the caller holds one around each. Values
// may be read by any number of goroutines; a Selector never changes. Time is a
// time.Duration since a moment of the caller's choice, on a clock that does not go
// back.
//
// # Limits
//
// A request has at most MaxKinds kinds, MaxNodes nodes, a TTL from MinTTL to
// MaxTTL and waits for MaxWait at most; a text form is at most 1,024 bytes. All
// of a request's kinds come from one manager of each node.
//
// A manager bears 100,000 leases, 1,000 waiting requests, and 1,000 of both from
// one holder; it remembers a request's id for 10 minutes after its lease ended,
// and 100,000 of them. A hold lasts 2 s. Who waits is served first come first
// served for each kind; a request for several kinds holds its place in all of
// them, so that one for much is served too. An asking side has 10,000 requests on
// their way, 1,000 from one holder.
//
// A request for several nodes has them all or none, but a manager's lease may
// live for a moment and be taken back when another manager's does not come.
//
// # Testing
//
// Scenario scripts in testdata hold what the state machines say (go test -update
// writes them): testdata/granter is one manager, testdata/asker nodes with a
// network between them; desk.run and scene.run have their words. history_test.go
// drives the same nodes by chance through losses, cuts, full disks and deaths,
// and holds that nothing is given twice, by the managers' account, by what
// holders believe, and with porcupine (linear_test.go). KECHO_NIGHTLY=1 plays
// 10,000 histories instead of 500. The Manager runs in bubbles over
// channeltest.Hub (manager_test.go). The parsers are fuzzed and held to what they
// print.
package resmgr
