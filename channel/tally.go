package channel

// tally is what a peer's reader has not told the counters yet. Of frames that
// are read together most are told with the last one, before its handler is called:
// in a stream the counters would cost as much as parsing the frame.
type tally struct {
	channel         *Channel
	received, bytes uint64
	sub             *Subscription
	delivered       uint64
}

// receive counts a frame that has come on c. more is Receiver.Receive's.
func (t *tally) receive(c *Channel, size int, more bool) {
	if t.channel != c {
		t.flush()
		t.channel = c
	}
	t.received++
	t.bytes += uint64(size)
	if !more {
		t.flush()
	}
}

// deliver counts an event that s, of the channel of receive, is about to get.
func (t *tally) deliver(s *Subscription, more bool) {
	if t.sub != s {
		t.flush()
		t.sub = s
	}
	t.delivered++
	if !more {
		t.flush()
	}
}

// flush tells what is left to tell.
func (t *tally) flush() {
	if t.received > 0 {
		t.channel.count.received.Add(t.received)
		t.channel.count.bytesIn.Add(t.bytes)
		t.received, t.bytes = 0, 0
	}
	if t.delivered > 0 {
		t.sub.count.delivered.Add(t.delivered)
		t.sub.channel.count.delivered.Add(t.delivered)
		t.delivered = 0
	}
}
