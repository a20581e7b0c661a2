package channel

// way is that of a peer's last event: the next one mostly goes the same,
// and is not looked up again.
type way struct {
	channels *map[string]*Channel // as they were when channel was found
	channel  *Channel
	turned   uint64 // of its table, when found was
	found    [4][]*Subscription
	only     *Subscription // what found is, where that is one whose handler is called at once
	fresh    bool          // the event is of another type, or on another channel, than that of found
}

// forget has the next event be looked up: the one before it, which the decoder
// has seen, was not.
func (w *way) forget() { w.channels = nil }

// to is the channel of that name; nil: it is not open here. same says that the
// name, and the event's type and source, are those of the last event.
func (w *way) to(n *Node, name []byte, same bool) *Channel {
	channels := n.channels.Load()
	if same && channels == w.channels {
		return w.channel
	}
	w.channels, w.channel, w.fresh = channels, (*channels)[string(name)], true
	return w.channel
}

// find is the subscriptions of c, the channel that to gave, that match e.
func (w *way) find(c *Channel, e *Event) *[4][]*Subscription {
	turned := c.subs.turned.Load() // before what it is about
	if w.fresh || turned != w.turned {
		w.found, w.turned, w.fresh = c.subs.find(e.Type, e.ID.Source), turned, false
		w.only = onlyOf(&w.found)
	}
	return &w.found
}

// onlyOf is the one subscription of found, if it is a plain one.
func onlyOf(found *[4][]*Subscription) (only *Subscription) {
	for _, subs := range found {
		switch {
		case len(subs) == 0:
			continue
		case only != nil || len(subs) > 1 || !subs[0].plain():
			return nil
		}
		only = subs[0]
	}
	return only
}
