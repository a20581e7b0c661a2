// Package news is what has happened on one node, for who looks on: a bounded
// log of the last items, which readers follow at their own pace.
//
// # Vocabulary
//
// An Item is one thing that happened. It has a type, which is a closed set,
// and data, which is JSON of that type's own; in the agent's log:
//
//	threshold  api.Crossing: a threshold was raised or cancelled
//	member     api.MemberChange: a node joined, left, or failed
//	link       api.LinkChange: the link to a node came up, or went down
//	state      api.StateChange: this node is ready, or drains
//	lease      api.LeaseChange: a lease of this node's clients was granted, or is over
//
// A reader asks for what comes after the last item that it has seen. When that
// was overwritten meanwhile it is told of the gap. An item's ID begins with
// that of the log, so that a reader who comes back to an agent that was
// restarted is told of a gap too.
//
// # How it is used
//
//	log := news.New(news.Config{ID: node.ID().String()})
//	log.Add("member", change)
//	for at := log.Now(); ; {
//		page := log.After(at)
//		... page.Missed, page.Items ...
//		at = page.Next
//		<-page.More
//	}
//
// The events of an application's channel are kept in a log too: agent/channels.
//
// A new type is a line here and a call of Add; agent/api shows it at
// /v1/events without knowing it.
//
// # Concurrency
//
// All methods may be called by any goroutine. Add takes a lock for a moment
// and never waits for readers: nothing is kept for any of them.
//
// # Limits
//
// 256 items are kept, each with 16 KiB of data at most, unless Config says
// otherwise: what is larger is left out and counts as a gap. A page has 64 KiB of
// data, or one item.
package news
