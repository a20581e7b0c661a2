// Package channels is the event channels that applications have open on one
// agent, for programs in any language: events come in and go out as
// CloudEvents, and the last ones of each channel are kept, so that a reader who
// was away can go on where it was.
//
// # Vocabulary
//
// A Table is the channels of one node; a Channel is one of them, opened by Open.
// The agent's own channels (data, monitoring, resources) are shown and can
// neither be written to nor closed. A channel that something of the agent
// needs, such as a threshold that submits on it, is held: it cannot be closed.
//
// A CloudEvent becomes an event of package channel and back: type is its Type,
// all other attributes are its attributes by their names, and the data its
// body. Four extensions are kecho's own:
//
//	kechoid        the event's ID in the cluster; only on what comes out
//	kechore        the ID of the event that this one answers
//	kechopriority  urgent or bulk; normal when there is none
//	kechottl       how long it is worth delivering, such as 1.5s
//
// An event that was not submitted as a CloudEvent gets its kechoid for an id and
// its node for a source. Attributes whose names CloudEvents do not have are left
// out, and floats are text.
//
// # How it is used
//
//	table := channels.New(channels.Config{Own: []string{"data"}, Node: node})
//	c, err := table.Open("work")
//	id, err := c.Publish(ctx, event)
//	page := c.Log().After(c.Log().Start())
//
// # Concurrency
//
// All methods may be called by any goroutine. Nothing runs of its own: what a
// channel's log gets comes on the goroutines of the channel's node.
//
// # Limits
//
// MaxChannels are open at most. Of each the last 1,024 events are kept, and
// 1 MiB of them as JSON; 256 events or 1 MiB wait until they are in the log, and
// for more the oldest are a gap to its readers. A channel takes MaxRate events a
// second from here, and a second's worth at once.
package channels
