package channel

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// Each script puts items, one word each: key, size, and ! when it is urgent or - when
// it is bulk. What is left, in the order in which it is taken, and what it cost, is
// written out.
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
		{Refuse, "a1- b1 c1! d1!", "c1 b1 a1; 1 refused 0 displaced 0 conflated"},
		{DropOldest, "a1! b1 c1- d1- e1 f1!", "a1 f1 e1; 0 refused 3 displaced 0 conflated"},
		{DropOldest, "a1! b1! c1! d1 e1-", "a1 b1 c1; 2 refused 0 displaced 0 conflated"},
		{DropOldest, "a4! b4- c7", "a4 b4; 1 refused 0 displaced 0 conflated"},
		{DropOldest, "a4! b4- c6", "a4 c6; 0 refused 1 displaced 0 conflated"},
		{KeepNewest, "a1 b1 c1 b2! a2 c2-", "b2 a2 c2; 0 refused 0 displaced 3 conflated"},
		{KeepNewest, "a1! b1 a2- b3-", "a2 b3; 0 refused 0 displaced 2 conflated"},
		{KeepNewest, "a5 b5 a6", "a5 b5; 1 refused 0 displaced 0 conflated"},
	} {
		b := backlog{maxEvents: 3, maxBytes: 10, rule: c.rule}
		refused, displaced, conflated := 0, 0, 0
		for _, word := range strings.Fields(c.in) {
			key, size := word[:1], 0
			fmt.Sscan(word[1:], &size)
			it := item{key: key, size: size, event: &Event{Priority: priorityOf(word)}}
			v := b.admit(key, size, it.lane())
			displaced += v.displaced
			if v.refused {
				refused++
				continue
			}
			if v.conflated {
				conflated++
			}
			b.put(it)
		}
		var left []string
		for b.events > 0 {
			it := b.take()
			left = append(left, fmt.Sprint(it.key, it.size))
		}
		if got := fmt.Sprintf("%s; %d refused %d displaced %d conflated", strings.Join(left, " "), refused, displaced, conflated); got != c.want {
			t.Errorf("rule %d, %s:\n got %s\nwant %s", c.rule, c.in, got, c.want)
		}
		if b.bytes != 0 || b.lanes[0].bytes != 0 || b.lanes[1].bytes != 0 || b.lanes[2].bytes != 0 || len(b.keyed) != 0 {
			t.Errorf("rule %d, %s: empty, it counts %d bytes and %d keys", c.rule, c.in, b.bytes, len(b.keyed))
		}
	}
}

// The places of keyed items must hold after others were taken from the front.
func TestBacklogKeysAfterTake(t *testing.T) {
	b := backlog{maxEvents: 4, maxBytes: 100, rule: KeepNewest}
	put := func(key string, size int) {
		it := item{key: key, size: size, event: &Event{}}
		if !b.admit(key, size, it.lane()).refused {
			b.put(it)
		}
	}
	put("a", 1)
	put("b", 1)
	b.take()
	put("b", 7)
	put("a", 2)
	items := func() []item { return b.lanes[1].items }
	if len(items()) != 2 || items()[0].size != 7 || items()[1].size != 2 || b.bytes != 9 {
		t.Errorf("%+v, %d bytes", items(), b.bytes)
	}
	if n := b.clear(); n != 2 {
		t.Errorf("%d cleared, want 2", n)
	}
	put("a", 3)
	put("a", 4)
	if len(items()) != 1 || items()[0].size != 4 {
		t.Errorf("after clear: %+v", items())
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
			b.admit(key, 3, it.lane())
			b.put(it)
		}
		put("taken", 0)
		b.take()
		put("a", 99)
		put("b", 0)
		put("c", 101)
		put("d", 98)
		put("e", 0)
		if n := b.expire(now); n != 2 || b.events != 3 || b.bytes != 9 {
			t.Errorf("rule %d: %d late, %d left of %d bytes; want 2, and 3 of 9", rule, n, b.events, b.bytes)
		}
		if rule == KeepNewest {
			put("e", 0)
			put("a", 0)
			if items := b.lanes[1].items; len(items) != 4 || items[2].key != "e" || len(b.keyed) != 4 {
				t.Errorf("the keys are lost: %+v, %v", items, b.keyed)
			}
		}
	}
}

// Keys hold for what is urgent too, whatever was taken, expired or moved before.
func TestBacklogKeysAcrossLanes(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		b := backlog{maxEvents: 6, maxBytes: 40, rule: KeepNewest}
		for range 200 {
			it := item{key: string(rune('a' + random.IntN(8))), size: random.IntN(9), event: &Event{Priority: Priority(random.IntN(3) - 1)}}
			if random.IntN(4) == 0 {
				it.event.Deadline = time.Unix(99, 0)
			}
			switch random.IntN(8) {
			case 0, 1:
				if b.events > 0 {
					b.take()
				}
			case 2:
				b.expire(time.Unix(100, 0))
			default:
				if !b.admit(it.key, it.size, it.lane()).refused {
					b.put(it)
				}
			}
			events, bytes := 0, 0
			for l := range b.lanes {
				for _, waits := range b.lanes[l].items {
					events++
					bytes += waits.size
					if p, ok := b.keyed[waits.key]; !ok || b.at(p).key != waits.key {
						t.Fatalf("seed %d: %s is not where it is said to be", seed, waits.key)
					}
				}
			}
			if events != b.events || bytes != b.bytes || events != len(b.keyed) || events > 6 || bytes > 40 {
				t.Fatalf("seed %d: %d events and %d bytes wait, with %d keys; counted %d and %d", seed, events, bytes, len(b.keyed), b.events, b.bytes)
			}
		}
	}
}

// priorityOf is by the last letter of a word.
func priorityOf(word string) Priority {
	switch word[len(word)-1] {
	case '!':
		return Urgent
	case '-':
		return Bulk
	}
	return Normal
}
