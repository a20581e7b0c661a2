package channel

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Each script puts items, one word each: key and size. What is left, and what
// it cost, is written out.
func TestBacklogRules(t *testing.T) {
	for _, c := range []struct {
		rule WhenFull
		in   string
		want string
	}{
		{Refuse, "a1 b1 c1 d1 e1", "a1 b1 c1; 2 refused 0 displaced 0 conflated"},
		{Refuse, "a6 b6 c4 d1", "a6 c4; 2 refused 0 displaced 0 conflated"},
		{Refuse, "a1 a1 a1 a1", "a1 a1 a1; 1 refused 0 displaced 0 conflated"},
		{DropOldest, "a1 b1 c1 d1 e1", "c1 d1 e1; 0 refused 2 displaced 0 conflated"},
		{DropOldest, "a3 b3 c3 d9 e1", "d9 e1; 0 refused 3 displaced 0 conflated"},
		{DropOldest, "a3 b11 c1", "a3 c1; 1 refused 0 displaced 0 conflated"},
		{KeepNewest, "a1 b1 a2 b2 a3", "a3 b2; 0 refused 0 displaced 3 conflated"},
		{KeepNewest, "a1 b1 c1 d1 b5", "a1 b5 c1; 1 refused 0 displaced 1 conflated"},
		{KeepNewest, "a5 b5 a6", "a5 b5; 1 refused 0 displaced 0 conflated"},
	} {
		b := backlog{maxEvents: 3, maxBytes: 10, rule: c.rule}
		refused, displaced, conflated := 0, 0, 0
		for _, word := range strings.Fields(c.in) {
			key, size := word[:1], 0
			fmt.Sscan(word[1:], &size)
			v := b.admit(key, size)
			displaced += v.displaced
			if v.refused {
				refused++
				continue
			}
			if v.conflated {
				conflated++
			}
			b.put(item{key: key, size: size})
		}
		var left []string
		for len(b.items) > 0 {
			it := b.take()
			left = append(left, fmt.Sprint(it.key, it.size))
		}
		if got := fmt.Sprintf("%s; %d refused %d displaced %d conflated", strings.Join(left, " "), refused, displaced, conflated); got != c.want {
			t.Errorf("rule %d, %s:\n got %s\nwant %s", c.rule, c.in, got, c.want)
		}
		if b.bytes != 0 || len(b.keyed) != 0 {
			t.Errorf("rule %d, %s: empty, it counts %d bytes and %d keys", c.rule, c.in, b.bytes, len(b.keyed))
		}
	}
}

// The places of keyed items must hold after others were taken from the front.
func TestBacklogKeysAfterTake(t *testing.T) {
	b := backlog{maxEvents: 4, maxBytes: 100, rule: KeepNewest}
	put := func(key string, size int) {
		if !b.admit(key, size).refused {
			b.put(item{key: key, size: size})
		}
	}
	put("a", 1)
	put("b", 1)
	b.take()
	put("b", 7)
	put("a", 2)
	if len(b.items) != 2 || b.items[0].size != 7 || b.items[1].size != 2 || b.bytes != 9 {
		t.Errorf("%+v, %d bytes", b.items, b.bytes)
	}
	if n := b.clear(); n != 2 {
		t.Errorf("%d cleared, want 2", n)
	}
	put("a", 3)
	put("a", 4)
	if len(b.items) != 1 || b.items[0].size != 4 {
		t.Errorf("after clear: %+v", b.items)
	}
}

func TestBacklogExpires(t *testing.T) {
	now := time.Unix(100, 0)
	for _, rule := range []WhenFull{Refuse, KeepNewest} {
		b := backlog{maxEvents: 8, maxBytes: 100, rule: rule}
		put := func(key string, due int64) {
			it := item{key: key, size: 3, event: &Event{}}
			if due != 0 {
				it.event.Deadline = time.Unix(due, 0)
			}
			b.admit(key, 3)
			b.put(it)
		}
		put("taken", 0)
		b.take()
		put("a", 99)
		put("b", 0)
		put("c", 101)
		put("d", 98)
		put("e", 0)
		if n := b.expire(now); n != 2 || len(b.items) != 3 || b.bytes != 9 {
			t.Errorf("rule %d: %d late, %d left of %d bytes; want 2, and 3 of 9", rule, n, len(b.items), b.bytes)
		}
		if rule == KeepNewest {
			put("e", 0)
			put("a", 0)
			if len(b.items) != 4 || b.items[2].key != "e" || len(b.keyed) != 4 {
				t.Errorf("the keys are lost: %+v, %v", b.items, b.keyed)
			}
		}
	}
}
