package channel_test

import (
	"fmt"
	"testing"
	"time"

	"kecho/channel"
)

// BenchmarkSubscriptions is what an event costs from the link to its handler
// where so many others are subscribed.
func BenchmarkSubscriptions(b *testing.B) {
	const kinds = 64 // types of events, by turns
	var in [kinds][]byte
	_, from, links, _ := stage(b, 100, 1)
	links.keep = true
	for i := range in {
		e := typical()
		e.Type = channel.Type(fmt.Sprint("type ", i))
		submit(b, from, e)
		in[i] = append([]byte(nil), links.last...)
	}
	of := map[string]func(i int) channel.Match{
		"type":   func(i int) channel.Match { return channel.Match{Type: channel.Type(fmt.Sprint("type ", i))} },
		"source": func(i int) channel.Match { return channel.Match{Source: channel.NodeID(100 + i)} },
		"both": func(i int) channel.Match {
			return channel.Match{Type: channel.Type(fmt.Sprint("type ", i)), Source: 100}
		},
	}
	for _, by := range []string{"type", "source", "both"} {
		for _, n := range []int{10, 1000, 100_000} {
			b.Run(fmt.Sprint(by, "/", n), func(b *testing.B) {
				_, c, _, r := stage(b, 1, 1)
				handled := 0
				for i := range n {
					c.SubscribeInline(of[by](i), func(*channel.Event) { handled++ })
				}
				b.ReportAllocs()
				sent := 0
				now := time.Now()
				for b.Loop() {
					r.Receive(100, now, in[sent%min(n, kinds)], false)
					sent++
				}
				if handled != sent {
					b.Errorf("%d events handled of %d", handled, sent)
				}
			})
		}
	}
}

// BenchmarkSubscribe is what coming and going costs where so many others are
// subscribed.
func BenchmarkSubscribe(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			_, c, _, _ := stage(b, 1, 1)
			for i := range n {
				c.SubscribeInline(channel.Match{Type: channel.Type(fmt.Sprint("type ", i))}, func(*channel.Event) {})
			}
			b.ReportAllocs()
			for b.Loop() {
				s, err := c.SubscribeInline(channel.Match{Type: "another"}, func(*channel.Event) {})
				if err != nil {
					b.Fatal(err)
				}
				s.Close()
			}
		})
	}
}

// BenchmarkConfigurations is what an event costs from the link to its handler
// by each way to subscribe.
func BenchmarkConfigurations(b *testing.B) {
	nothing := func(*channel.Event) {}
	sets := func([]*channel.Event) {}
	elapsed := func(channel.Timeout) {}
	either := [][]channel.Match{{{Type: "request"}, {Type: "answer"}}}
	one := func(*channel.Event, []channel.Sink) []channel.Sink { return nil }
	in := frames(b)[0]
	for _, c := range []struct {
		name   string
		filter channel.Filter
		cfg    channel.SubscriptionConfig
	}{
		{"inline", nil, channel.SubscriptionConfig{Handler: nothing, Inline: true}},
		{"inline, IN-filter", half, channel.SubscriptionConfig{Handler: nothing, Inline: true}},
		{"inline, IN-filter discards", one, channel.SubscriptionConfig{Handler: nothing, Inline: true}},
		{"inline, priority", nil, channel.SubscriptionConfig{Handler: nothing, Inline: true, Priority: channel.Urgent}},
		{"queue", nil, channel.SubscriptionConfig{Handler: nothing}},
		{"queue, drop oldest", nil, channel.SubscriptionConfig{Handler: nothing, WhenFull: channel.DropOldest}},
		{"queue, keep newest", nil, channel.SubscriptionConfig{Handler: nothing, WhenFull: channel.KeepNewest}},
		{"inline, watchdog", nil, channel.SubscriptionConfig{Handler: nothing, Inline: true, Silence: time.Minute, Elapsed: elapsed}},
		{"inline, correlation", nil, channel.SubscriptionConfig{All: either, Together: sets, Inline: true}},
		{"queue, correlation", nil, channel.SubscriptionConfig{All: either, Together: sets}},
	} {
		b.Run(c.name, func(b *testing.B) {
			_, ch, _, r := stage(b, 1, 1)
			ch.SetIn(c.filter)
			if _, err := ch.SubscribeWith(c.cfg); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			now := time.Now()
			for b.Loop() {
				r.Receive(100, now, in, false)
			}
		})
	}
}
