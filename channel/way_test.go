package channel_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"kecho/channel"
)

// What a peer's events find does not depend on what came before: a random
// history of events, subscriptions, and channels that close and open again,
// against a list that is scanned.
func TestEventsFindTheirSubscriptions(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	names, types := []string{"work", "other"}, []channel.Type{"a", "b"}
	in := map[string]map[channel.Type][]byte{}
	source, work, links, _ := stage(t, 100, 1)
	links.keep = true
	other, err := source.Open("other")
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []*channel.Channel{work, other} {
		in[names[i]] = map[channel.Type][]byte{}
		for _, typ := range types {
			work.Submit(t.Context(), channel.Event{Type: typ})
			frame := append([]byte(nil), links.last...)
			if c == other { // nobody has it open there, so the name is put in
				frame = append(append(append([]byte{frame[0]}, 0xa0|byte(len("other"))), "other"...), frame[len("work")+2:]...)
			}
			in[names[i]][typ] = frame
		}
	}

	type subscribed struct {
		*channel.Subscription
		on  string
		typ channel.Type // empty: any
	}
	node, first, _, r := stage(t, 1, 1)
	open := map[string]*channel.Channel{"work": first}
	var all []subscribed
	handled := 0
	name, typ := names[0], types[0]
	for step := range 5000 {
		if rnd.IntN(10) == 0 { // mostly what was before comes again
			name, typ = names[rnd.IntN(2)], types[rnd.IntN(2)]
		}
		c := open[name]
		switch rnd.IntN(8) {
		case 0:
			if c == nil {
				if open[name], err = node.Open(name); err != nil {
					t.Fatal(err)
				}
				continue
			}
			c.Close()
			delete(open, name)
			all = slices.DeleteFunc(all, func(s subscribed) bool { return s.on == name })
		case 1, 2:
			if c == nil {
				continue
			}
			m := channel.Match{Type: []channel.Type{"", typ}[rnd.IntN(2)]}
			s, err := c.SubscribeInline(m, func(*channel.Event) { handled++ })
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, subscribed{s, name, m.Type})
		case 3:
			if len(all) > 0 {
				i := rnd.IntN(len(all))
				all[i].Close()
				all = append(all[:i:i], all[i+1:]...)
			}
		default:
			want := 0
			for _, s := range all {
				if s.on == name && (s.typ == "" || s.typ == typ) {
					want++
				}
			}
			handled = 0
			if err := r.Receive(100, time.Now(), in[name][typ], false); err != nil {
				t.Fatal(err)
			}
			if handled != want {
				t.Fatalf("step %d: an event of type %s on %s is handled %d times, want %d", step, typ, name, handled, want)
			}
		}
	}
}

// Nor on what broke the protocol: the channel of a frame that ended there was not
// looked up.
func TestABrokenFrameLeavesNoTrace(t *testing.T) {
	node, work, _, r := stage(t, 1, 1)
	other, err := node.Open("other")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, c := range []*channel.Channel{work, other} {
		if _, err := c.SubscribeInline(channel.Match{}, func(*channel.Event) { got[c.Name()]++ }); err != nil {
			t.Fatal(err)
		}
	}
	for _, broken := range []func(frame []byte) []byte{
		func(frame []byte) []byte { return frame[:len(frame)-1] },
		func([]byte) []byte { return pack(t, head(101, "other", "a")) }, // of another node
	} {
		clear(got)
		source := channel.NodeID(100)
		if err := r.Receive(100, time.Now(), pack(t, head(source, "work", "a")), false); err != nil {
			t.Fatal(err)
		}
		frame := pack(t, head(source, "other", "a"))
		if err := r.Receive(100, time.Now(), broken(frame), false); err == nil {
			t.Fatal("a broken frame was taken")
		}
		// Its next link: who is a member stays the same peer.
		if err := r.Receive(100, time.Now(), frame, false); err != nil {
			t.Fatal(err)
		}
		if got["work"] != 1 || got["other"] != 1 {
			t.Errorf("%v, want one on each", got)
		}
	}
}
