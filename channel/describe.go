package channel

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// describer holds what a node describes itself with.
type describer struct {
	mu     sync.Mutex // serialises Describe
	static atomic.Pointer[description]
	moving atomic.Pointer[func(Attrs) Attrs]
}

// Describe sets attributes of this node, each replacing the one of its name.
// They are stamped on every event that is submitted from now on, and so come
// to the peers' Sink.Attrs without messages of their own. At most MaxAttrs.
func (n *Node) Describe(attrs ...Attr) error {
	d := &n.desc
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.static.Load().attrs.With(attrs...)
	if err := checkAttrs(next); err != nil {
		return fmt.Errorf("describe the node: %w", err)
	}
	d.static.Store(&description{raw: appendPairs(appendArrayHeader(nil, 2*len(next)), next), attrs: next})
	return nil
}

// DescribeFunc sets a function that appends attributes which change all the
// time, such as a load; nil for none. It is called for each event that is
// submitted and must be quick and safe for concurrent use. What Describe would
// refuse is left out, and where a name is described already, that counts.
func (n *Node) DescribeFunc(moving func(Attrs) Attrs) {
	if moving == nil {
		n.desc.moving.Store(nil)
		return
	}
	n.desc.moving.Store(&moving)
}

// appendTo appends the description of this moment to raw, encoded with its
// header, and to attrs as values.
func (d *describer) appendTo(raw []byte, attrs Attrs) ([]byte, Attrs) {
	static := d.static.Load()
	attrs = append(attrs, static.attrs...)
	moving := d.moving.Load()
	if moving == nil {
		return append(raw, static.raw...), attrs
	}
	n := len(attrs)
	attrs = (*moving)(attrs)
	n = min(n, len(attrs))
	sound := attrs[:n]
	for i := n; i < len(attrs) && len(sound) < MaxAttrs; i++ {
		if checkAttr(&attrs[i]) == nil {
			sound = append(sound, attrs[i])
		}
	}
	raw = appendArrayHeader(raw, 2*len(sound))
	return appendPairs(raw, sound), sound
}

func checkAttrs(attrs Attrs) error {
	if len(attrs) > MaxAttrs {
		return fmt.Errorf("%d attributes, at most %d: %w", len(attrs), MaxAttrs, ErrTooLarge)
	}
	for i := range attrs {
		if err := checkAttr(&attrs[i]); err != nil {
			return err
		}
	}
	return nil
}

func checkAttr(a *Attr) error {
	switch {
	case a.Name == "" || len(a.Name) > MaxName:
		return fmt.Errorf("attribute name %.80q: want 1 to %d bytes", a.Name, MaxName)
	case a.kind == noKind:
		return fmt.Errorf("attribute %q holds nothing: make it with Key.Of", a.Name)
	case len(a.str) > MaxText:
		return fmt.Errorf("attribute %q of %d bytes, at most %d: %w", a.Name, len(a.str), MaxText, ErrTooLarge)
	}
	return nil
}
