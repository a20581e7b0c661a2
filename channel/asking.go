package channel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// What nodes tell each other of what they want, where somebody asks: see
// spec.md, "Control channel".
const (
	asksType      Type = "asks"
	interestsType Type = "interests"
	bringsType    Type = "brings"
)

// asks is the body of asksType: the channels that the source wants to be told
// the others' interests in.
type asks struct{ Channels []string }

// interests is the body of interestsType, and of bringsType.
type interests struct {
	Channel   string
	Interests []Interest
}

// tellEvery is how long a node waits at least from one time that it tells what
// it wants to the next: subscriptions come and go by the thousand.
const tellEvery = 50 * time.Millisecond

// Wanting is what one node wants of a channel's events.
type Wanting struct {
	Node      NodeID
	Interests []Interest
	// Brings is what it brings of other clusters' events: the paths lead to where
	// those come from.
	Brings []Interest
}

// Interests is what each node wants of the channel, as far as it has said so,
// this one included. Nodes are only asked while somebody watches: see
// WatchInterests. What it returns must not be written to.
func (c *Channel) Interests() []Wanting {
	var all []Wanting
	for id, p := range c.node.peers.Load().All() {
		if told := p.told.of(c.name); told != nil {
			all = append(all, Wanting{id, told.wants, told.brings})
		}
	}
	return append(all, Wanting{c.node.id, c.wanted(), c.brought()})
}

// Bringer tells the other nodes what a gateway brings to a channel.
type Bringer struct{ channel *Channel }

// Bring is for a gateway, which brings events from other clusters.
func (c *Channel) Bring() *Bringer { return &Bringer{c} }

// Set replaces what is told; nil: nothing is brought any more. At most
// MaxInterests are told.
func (b *Bringer) Set(brings []Interest) {
	c := b.channel
	c.node.mu.Lock()
	if c.bringers == nil {
		c.bringers = make(map[*Bringer][]Interest)
	}
	c.bringers[b] = brings
	if brings == nil {
		delete(c.bringers, b)
	}
	c.node.mu.Unlock()
	c.node.interests.mark(c, ownChanged)
}

// brought is what all gateways on this node bring.
func (c *Channel) brought() []Interest {
	d := newDisjunction()
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	for _, brings := range c.bringers {
		for _, in := range brings {
			d.add(in.Path, in.Terms)
		}
	}
	return d.interests()
}

// told is what a peer has said that it wants and brings, by channel. It is
// copied on write, under Node.mu.
type told struct {
	channels atomic.Pointer[map[string]*interest]
}

type interest struct{ wants, brings []Interest }

// of is what was said of the channel; nil: nothing.
func (t *told) of(channel string) *interest {
	all := t.channels.Load()
	if all == nil {
		return nil
	}
	return (*all)[channel]
}

// wants reports whether the peer has said that it wants e, from another cluster.
func (t *told) wants(channel string, e *Event) bool {
	said := t.of(channel)
	return said != nil && wantsAny(said.wants, e)
}

func (t *told) forget() { t.channels.Store(nil) }

// setLocked takes what was said.
func (t *told) setLocked(typ Type, said interests) {
	next := make(map[string]*interest)
	if all := t.channels.Load(); all != nil {
		maps.Copy(next, *all)
	}
	var now interest
	if have := next[said.Channel]; have != nil {
		now = *have
	}
	if typ == bringsType {
		now.brings = said.Interests
	} else {
		now.wants = said.Interests
	}
	next[said.Channel] = &now
	t.channels.Store(&next)
}

// WatchInterests calls changed soon, and whenever Interests may have changed,
// until stop is called or the channel closed. The calls are as those of Watch.
// While anybody watches, the other nodes are asked what they want, and tell
// their changes within tellEvery.
func (c *Channel) WatchInterests(changed func()) (stop func()) {
	w := &interestWatcher{changed}
	n := c.node
	n.mu.Lock()
	if !c.closed.Load() {
		c.curious = append(slices.Clone(c.curious), w)
		n.askLocked()
	}
	n.mu.Unlock()
	n.telling.run()
	n.interests.mark(c, viewChanged)
	return func() {
		n.mu.Lock()
		c.curious = slices.DeleteFunc(slices.Clone(c.curious), func(have *interestWatcher) bool { return have == w })
		n.askLocked()
		n.mu.Unlock()
		n.telling.run()
	}
}

type interestWatcher struct{ changed func() }

// askLocked works out which channels anybody asks for and has the peers be told
// of those that are watched here, if they have changed.
func (n *Node) askLocked() {
	var watched []string
	for name, c := range *n.channels.Load() {
		asked := len(c.curious) > 0
		if asked {
			watched = append(watched, name)
		}
		for _, p := range n.peers.Load().All() {
			asked = asked || slices.Contains(p.asks, name)
		}
		c.asked.Store(asked)
	}
	slices.Sort(watched)
	if slices.Equal(watched, n.asking) {
		return
	}
	n.asking = watched
	n.telling.add(func() {
		for id, p := range n.peers.Load().All() {
			n.mu.Lock()
			linked := p.linked
			n.mu.Unlock()
			if linked {
				n.ask(id)
			}
		}
	})
}

// askedBy takes what a peer asks.
func (n *Node) askedBy(p *peer, e *Event) error {
	var a asks
	if err := Unpack(e.Body, &a); err != nil {
		return fmt.Errorf("question for interests: %w", err)
	}
	n.mu.Lock()
	p.asks = a.Channels
	n.askLocked()
	n.mu.Unlock()
	for name, c := range *n.channels.Load() {
		if slices.Contains(a.Channels, name) {
			n.interests.mark(c, newlyAsked)
		}
	}
	return nil
}

// toldBy takes what a peer wants.
func (n *Node) toldBy(p *peer, e *Event) error {
	var said interests
	if err := Unpack(e.Body, &said); err != nil {
		return fmt.Errorf("interests: %w", err)
	}
	if err := checkInterests(said.Interests); err != nil {
		return fmt.Errorf("interests: %w", err)
	}
	n.mu.Lock()
	if slices.Contains(n.asking, said.Channel) {
		p.told.setLocked(e.Type, said)
	}
	n.mu.Unlock()
	if c := (*n.channels.Load())[said.Channel]; c != nil {
		n.interests.mark(c, viewChanged)
	}
	return nil
}

func checkInterests(all []Interest) error {
	if len(all) > MaxInterests {
		return fmt.Errorf("%d of them, at most %d: %w", len(all), MaxInterests, ErrTooLarge)
	}
	for _, in := range all {
		if len(in.Path) > MaxPath || len(in.Terms) > MaxInterestTerms {
			return fmt.Errorf("one with %d clusters and %d terms, at most %d and %d: %w", len(in.Path), len(in.Terms), MaxPath, MaxInterestTerms, ErrTooLarge)
		}
		for _, cluster := range in.Path {
			if cluster == "" || len(cluster) > MaxName {
				return errors.New("a path with a name that is none")
			}
		}
		for _, m := range in.Terms {
			if len(m.Type) > MaxName {
				return errors.New("a type that is too long")
			}
		}
	}
	return nil
}

// teller tells peers and watchers what has changed of interests, not more often
// than each tellEvery.
type teller struct {
	wake chan struct{} // capacity 1

	mu    sync.Mutex
	dirty map[*Channel]news // guarded by mu
}

// news is what has changed of a channel's interests.
type news uint8

const (
	ownChanged  news = 1 << iota // what this node wants
	viewChanged                  // what others want, or who is there
	newlyAsked                   // somebody asks who has not been told
)

// mark has what changed be told.
func (t *teller) mark(c *Channel, what news) {
	t.mu.Lock()
	if t.dirty == nil {
		t.dirty = make(map[*Channel]news)
	}
	t.dirty[c] |= what
	t.mu.Unlock()
	t.rouse()
}

// rouse has tellInterests look whether there is anything to do.
func (t *teller) rouse() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (n *Node) tellInterests(ctx context.Context) {
	t := &n.interests
	for {
		select {
		case <-t.wake:
		case <-ctx.Done():
			return
		}
		t.mu.Lock()
		dirty := t.dirty
		t.dirty = nil
		t.mu.Unlock()
		for c, what := range dirty {
			n.tellInterest(c, what)
		}
		n.askAgain()
		select {
		case <-time.After(tellEvery):
		case <-ctx.Done():
			return
		}
	}
}

// tellInterest is called by tellInterests only.
func (n *Node) tellInterest(c *Channel, what news) {
	n.mu.Lock()
	watchers := c.curious
	var asking []NodeID
	for id, p := range n.peers.Load().All() {
		if p.linked && slices.Contains(p.asks, c.name) {
			asking = append(asking, id)
		}
	}
	n.mu.Unlock()
	if what&(ownChanged|newlyAsked) != 0 && len(asking) > 0 {
		c.tellPeers(asking, what&newlyAsked != 0)
	}
	for _, w := range watchers {
		n.watching.add(w.changed)
	}
	n.watching.run()
}

// tellPeers tells these what this node wants and brings, as far as it is new to
// them. It is called by tellInterests only.
func (c *Channel) tellPeers(asking []NodeID, all bool) {
	now := (*c.node.channels.Load())[c.name]
	if now != nil && now != c {
		return // it was closed and opened again, and that one is told
	}
	var own interest // nothing, when it is closed
	if now != nil {
		own = interest{c.wanted(), c.brought()}
	}
	var untold []NodeID
	for _, id := range asking {
		all, taken := all || slices.Contains(c.untold, id), true
		if all || !sameInterests(own.wants, c.toldPeers.wants) {
			taken = c.node.sendControl(id, interestsType, interests{c.name, own.wants})
		}
		if all || !sameInterests(own.brings, c.toldPeers.brings) {
			taken = c.node.sendControl(id, bringsType, interests{c.name, own.brings}) && taken
		}
		if !taken {
			untold = append(untold, id)
		}
	}
	c.toldPeers, c.untold = own, untold
	if untold != nil {
		c.node.interests.mark(c, ownChanged)
	}
}

// markCuriousLocked has those who watch interests look again.
func (n *Node) markCuriousLocked() {
	for _, c := range *n.channels.Load() {
		if len(c.curious) > 0 {
			n.interests.mark(c, viewChanged)
		}
	}
}
