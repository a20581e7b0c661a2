package channel_test

import (
	"testing"
	"time"

	"kecho/channel"
)

// Of frames that are read together each is counted once, and all before the last
// one's handler is called: whatever becomes of the others, and on what channels
// they are.
func TestFramesReadTogetherAreCounted(t *testing.T) {
	node, work, _, r := stage(t, 1, 1)
	other, err := node.Open("other")
	if err != nil {
		t.Fatal(err)
	}
	var subs []*channel.Subscription
	var last [2]channel.Stats // as the latest handler saw them
	look := func(*channel.Event) { last = [2]channel.Stats{work.Stats(), other.Stats()} }
	for _, c := range []*channel.Channel{work, other} {
		s, err := c.SubscribeInline(channel.Match{Type: "a"}, look)
		if err != nil {
			t.Fatal(err)
		}
		subs = append(subs, s)
	}
	frames := map[byte][]byte{ // a: handled; n: nobody wants it; o: handled on the other channel; s: on no channel
		'a': pack(t, head(100, "work", "a")), 'n': pack(t, head(100, "work", "n")),
		'o': pack(t, head(100, "other", "a")), 's': pack(t, head(100, "stray", "a")),
	}
	var want [2]channel.Stats
	for _, together := range []string{"a", "aaa", "aoa", "oon", "ns", "asa", "nnsna", "aaaas", "sssao"} {
		for i := range len(together) {
			switch kind := together[i]; kind {
			case 'a', 'n':
				want[0].Received++
				if kind == 'a' {
					want[0].Delivered++
				}
			case 'o':
				want[1].Received++
				want[1].Delivered++
			}
			if err := r.Receive(100, time.Now(), frames[together[i]], i < len(together)-1); err != nil {
				t.Fatal(err)
			}
		}
		now := [2]channel.Stats{work.Stats(), other.Stats()}
		if kind := together[len(together)-1]; kind == 'a' || kind == 'o' {
			now = last
		}
		for i := range want {
			if now[i].Received != want[i].Received || now[i].Delivered != want[i].Delivered || subs[i].Stats().Delivered != want[i].Delivered {
				t.Errorf("after %q channel %d: %d received, %d delivered, want %d and %d", together, i, now[i].Received, now[i].Delivered, want[i].Received, want[i].Delivered)
			}
		}
	}
	if err := r.Receive(100, time.Now(), frames['a'], true); err != nil {
		t.Fatal(err)
	}
	if err := r.Receive(100, time.Now(), []byte("broken"), true); err == nil || work.Stats().Received != want[0].Received+1 {
		t.Errorf("a broken frame: %v, and %d received, want %d", err, work.Stats().Received, want[0].Received+1)
	}
}
