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
// needs, such as a threshold that submits on it, is held: it cannot be closed. One
// that a gateway shares is open on the node all the time, for applications only
// while they have it open.
//
// A CloudEvent becomes an event of package channel and back: type is its Type,
// all other attributes are its attributes by their names, and the data its
// body. Seven extensions are kecho's own:
//
//	kechoid        the event's ID in the cluster; only on what comes out
//	kechoasks      true on a request, which can be answered; only on what comes out
//	kechore        the ID of the event that this one answers
//	kechopath      the clusters that it has passed, if it comes from another one;
//	               only on what comes out
//	kechopriority  urgent or bulk; normal when there is none
//	kechottl       how long it is worth delivering, such as 1.5s; on what comes
//	               out: how long it was when it came
//	kechocursor    where it is in its node's log; only on what comes out
//
// An event whose kechore is a request's kechoid goes to who has asked, and to
// nobody else. A node where nobody follows the channel is asked as well, and
// says nothing; only the one that asks knows of itself whether somebody does.
//
// An event that was not submitted as a CloudEvent gets its kechoid for an id and
// its node for a source. Attributes that CloudEvents do not have, by their
// names or such as a source that is no URI, are left out, and floats are text.
//
// A channel may be idle (OpenWith): while nobody has read it for a while its
// subscription is suspended, so the other nodes send nothing, and its log is
// forgotten. It may be open for some types of events only: then its log has no
// others, and gateways bring no others from other clusters for it.
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
// channel's log gets comes on the goroutines of the channel's node. Who follows
// one enters the table first, and leaves it: End tells them, and Wait returns
// when they are gone.
//
// # Limits
//
// MaxChannels are open at most, and MaxReaders follow them. Of each the last 1,024
// events are kept, and 1 MiB of them as JSON; 256 events or 1 MiB wait until they
// are in the log, and for more the oldest of the least urgent are a gap to its
// readers. A channel takes MaxRate events a second from here, and a second's worth
// at once.
package channels
