// Package policy is the decision core of the balancer: which request runs
// here, which may go to a peer, which waits and which is refused.
//
// It is pure. Its types are state machines: what happened goes in together
// with the time, what is to be done comes out. Nothing here blocks, starts a
// goroutine, reads a clock or knows of HTTP or channels, so that the agent,
// tests in fake time and the simulator decide with the same code.
//
// A Core decides for a node as the owner of its clients' requests and as a peer
// of the other owners, and says what they tell each other.
//
// # Vocabulary
//
// The owner of a request is the node that its client is connected to; only
// the owner moves it. A place is one request at the web server. Places are
// taken at once up to Config.Places, unless overflow is raised, because the
// machine and not the number of requests is at its limit, or this server is
// slower than the others: then what may move is offered first. What nobody else
// takes, or may take, uses the places up to Config.Hard.
//
// What finds no place waits in the queue and is offered (pull): a small
// message goes to a few peers, which keep a placeholder in their queue. The
// first with a free place claims it, this node among them; the owner grants it
// to the first claim, with the request, and cancels the other offers. So it
// runs once, and nobody needs to know anybody's load. A peer may hold a place
// for the answer to its claim. Where the round trip costs too much beside the
// service, the request is pushed to the best of a few instead, which may
// refuse; what none of them takes is offered after all. A guest is a peer's
// request here. An epoch is one try: when the owner takes a request back,
// because it was refused or its peer was lost, the next epoch begins and what is
// said of the last is void. S is the mean service time, R the round trip to
// peers, c the places.
//
// A request that may be begun twice may have several copies, at peers and here:
// at once (race), when it takes longer than most do (hedge: the later copy is
// its backup), or when it has waited for long (the paper's policy). The first
// answer counts, and ends the other copies, or their first start does, or
// nothing. Copies of which only one is to run are tied. An offer that is tied has
// the request with it, and who has a place free begins it without a grant
// (speculative start).
//
// The queue is ordered by age, and a place that is free goes to the oldest who
// may have it. Classes of urgency are before that (RFC 9218): the oldest
// of the most urgent class is first, here and among what peers offer. New
// requests are shed when the oldest of their class and of more urgent ones waits
// too long, and a full queue makes room for what is more urgent; so neither
// kind can have the other's place for nothing, and what is starved is refused or
// ends by its deadline, counted. What has not the time left that nine in ten
// services take is not begun, while others wait: it expires early.
//
// So nothing waits while there is room for it, and what may yet go to a peer is
// not in the way of what may not. An offer counts as two services
// younger than it is: who is here comes first.
//
// The places of a Core may be learned (Config.MaxPlaces), from how service times
// grow with the number in flight: limit has the rule. It is never lowered to see
// how the server is when nobody is there.
//
// # Use
//
// A Core is told what happens and appends what is to be done, in order:
//
//	out = core.Arrive(now, request, out[:0])      // a client's request
//	out = core.Receive(now, peer, message, out)   // a peer's message
//	out = core.Finish(now, request, took, res, out)
//	out = core.Tick(now, out)                     // when core.Next says so
//	for _, e := range out {
//		switch e.Do {
//		case policy.DoStart:  // give e.Request to the web server, then Finish
//		case policy.DoSubmit: // an OUT-filter picks at most e.Most peers that
//		                      // MayAsk allows; out = core.Sent(now, e.Request, e.Message, picked, out);
//		                      // then e.Message goes to them
//		case policy.DoSend:   // e.Message goes to e.To
//		...
//
// The IN-filter drops an answer that Awaits does not say is wanted; one that is
// kept is told with Answered. Who the peers are it learns from Hear, Receive and
// PeerGone.
//
// # Concurrency
//
// None: the caller holds one lock around each state machine. Time is a
// time.Duration since a moment of the caller's choice, on a clock that does
// not go back.
//
// # Limits
//
// A Core keeps at most Config.Queue requests that wait here, which hold at most
// Config.QueueBytes; those that come back from a peer are kept beyond that. It
// keeps 4,096 guests, offers among them, 1,024 of one peer, none for longer than 10 minutes, and the names of the last
// 4,096 guests that it began or refused, by which it knows what is repeated. A
// request is pushed 3 times and refused 6 times at most; then it stays. A
// message that is doubled and comes later than 4,096 guests after is not known
// for that. A decision costs the logarithm of the queue and does not grow with
// the number of peers; to make room for a more urgent request costs a walk over
// the queue, PeerGone, and SetUp when the web server is lost, cost a
// walk over everything. A control message is counted with Config.MessageCost,
// and they may cost 3 % of a core.
//
// A request has 5 copies at most, and 3 backups are looked for. Copies, backups
// and what is begun again after a loss, twice at most, come out of Config.Budget
// together; offers that carry a request do not: it runs once, but for those that
// begin it in the same moment. A backup is only looked for once 100 requests
// were answered, and 20 came for each.
//
// A Core leaves a peer alone that failed three times in a row, or more than 30 %
// of at least 20 requests in 10 s: for 10 s, doubled up to 5 minutes when the
// first request after that fails too, and at most half of the peers. Failures
// are no answer, silence after a grant or a push, most of a request's time spent
// there in vain, and a refusal by one that says in it that it has room. Whatever
// a peer claims, it has as many requests of this node as it has answered before
// in good time at once, and as many as this node has places at first. A peer that
// cannot have served a request in the time that is left, by what it says of its
// services, is not asked.
//
// An owner that does not answer claims has 8 of them unanswered, or as many as
// there are places, and then one for each that it grants, and one a second: each
// keeps a place for four round trips.
//
// A budget holds at most its burst.
//
// # Testing
//
// Scenario scripts in testdata/core drive cores word by word and hold what they
// say against what is written there (go test -update writes it); scene.run in
// core_test.go has the words. rig_test.go is cores with a network that delivers,
// loses and doubles as a test says, and history_test.go drives it by chance.
// Package sim has whole clusters.
package policy
