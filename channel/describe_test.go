package channel_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"kecho/channel"
	"kecho/channel/channeltest"
)

func TestDescribeReachesPeers(t *testing.T) {
	bubble(t, 2, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		got := channeltest.Record(t, chans[1], channel.Match{})
		sink := func() channel.Attrs {
			for s := range chans[1].Sinks() {
				return s.Attrs
			}
			return nil
		}
		if a := sink(); len(a) != 0 {
			t.Errorf("a sink that said nothing has %v", a)
		}
		var busy atomic.Int64
		nodes[0].Describe(color.Of("red"), tries.Of(1))
		nodes[0].Describe(tries.Of(2))
		nodes[0].DescribeFunc(func(as channel.Attrs) channel.Attrs { return append(as, load.Of(float64(busy.Add(1)))) })
		for i := range 3 {
			submit(t, chans[0], channel.Event{Type: "a", Attrs: channel.Attrs{load.Of(99)}})
			e := got.Wait(t, i+1)[i]
			want := fmt.Sprintf("[color=red tries=2 load=%d]", i+1)
			if from, at := fmt.Sprint(e.From), fmt.Sprint(sink()); from != want || at != want {
				t.Errorf("From is %v and Sink.Attrs %v, want %v", from, at, want)
			}
		}
		nodes[0].DescribeFunc(nil)
		submit(t, chans[0], channel.Event{Type: "a"})
		if e := got.Wait(t, 4)[3]; fmt.Sprint(e.From) != "[color=red tries=2]" {
			t.Errorf("From is %v after DescribeFunc(nil)", e.From)
		}
	})
}

func TestDescribeLimits(t *testing.T) {
	n, err := channel.New(channel.Config{})
	if err != nil {
		t.Fatal(err)
	}
	many := make(channel.Attrs, channel.MaxAttrs)
	for i := range many {
		many[i] = channel.Key[bool](fmt.Sprint(i)).Of(true)
	}
	if err := n.Describe(many...); err != nil {
		t.Error(err)
	}
	if err := n.Describe(many...); err != nil {
		t.Errorf("the same names again: %v", err)
	}
	if err := n.Describe(load.Of(1)); !errors.Is(err, channel.ErrTooLarge) {
		t.Errorf("one more: %v, want ErrTooLarge", err)
	}
	if err := n.Describe(channel.Attr{}); err == nil {
		t.Error("the zero Attr is accepted")
	}
}

// A function that misbehaves must not cost the node its links.
func TestDescribeFuncIsNotTrusted(t *testing.T) {
	bubble(t, 2, func(t *testing.T, nodes []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		got := channeltest.Record(t, chans[1], channel.Match{})
		nodes[0].Describe(color.Of("red"))
		for i, f := range []func(channel.Attrs) channel.Attrs{
			func(as channel.Attrs) channel.Attrs {
				return append(as, channel.Attr{}, color.Of(strings.Repeat("x", channel.MaxText+1)),
					channel.Key[bool](strings.Repeat("x", channel.MaxName+1)).Of(true), tries.Of(7))
			},
			func(as channel.Attrs) channel.Attrs { return nil },
			func(as channel.Attrs) channel.Attrs {
				for range 2 * channel.MaxAttrs {
					as = append(as, load.Of(1))
				}
				return as
			},
		} {
			nodes[0].DescribeFunc(f)
			submit(t, chans[0], channel.Event{Type: "a"})
			synctest.Wait()
			if len(got.Events()) != i+1 {
				t.Fatalf("function %d: the event did not arrive", i)
			}
		}
		all := got.Events()
		if fmt.Sprint(all[0].From) != "[color=red tries=7]" || len(all[1].From) != 0 || len(all[2].From) != channel.MaxAttrs {
			t.Errorf("descriptions: %v, %v and %d attributes", all[0].From, all[1].From, len(all[2].From))
		}
	})
}
