package channel_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"kecho/channel"
	"kecho/channel/channeltest"
)

// rawPeer is on the hub without a node: what it sends is what the test says.
type rawPeer struct {
	id    channel.NodeID
	links channel.Links

	mu     sync.Mutex
	frames [][]byte
	downs  []error
}

func startRawPeer(t testing.TB, hub *channeltest.Hub, id channel.NodeID) *rawPeer {
	t.Helper()
	p := &rawPeer{id: id, links: hub.Links(id)}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { p.links.Serve(ctx, p) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return p
}

func (p *rawPeer) LinkUp(channel.NodeID) {}

func (p *rawPeer) Receive(_ channel.NodeID, _ time.Time, frame []byte, _ bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frames = append(p.frames, bytes.Clone(frame))
	return nil
}

func (p *rawPeer) LinkDown(_ channel.NodeID, cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.downs = append(p.downs, cause)
}

// head is the fields of an envelope in their order, as msgpack/v5 takes them.
func head(source channel.NodeID, name, typ string) []any {
	return []any{name, typ, int8(0), uint64(source), uint64(1), uint64(0), uint64(0), uint64(0), []any{}, []any{}}
}

func pack(t testing.TB, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := msgpack.NewEncoder(&b)
	enc.UseArrayEncodedStructs(true)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (p *rawPeer) announce(t testing.TB, version uint64, names ...string) {
	t.Helper()
	body := pack(t, channel.Announcement{Version: version, Channels: names})
	frame := append(pack(t, head(p.id, "", "channels")), body...)
	if err := p.links.Send(t.Context(), 1, channel.Handling{Priority: channel.Urgent}, frame); err != nil {
		t.Fatal(err)
	}
}

func with(h []any, field int, v any) []any {
	h[field] = v
	return h
}

// badFrames is what no node may send, by what is wrong with it.
func badFrames(t testing.TB, from channel.NodeID) map[string][]byte {
	good := func() []any { return head(from, "work", "a") }
	long := strings.Repeat("x", channel.MaxText+1)
	pairs := func(n int) (list []any) {
		for i := range n {
			list = append(list, fmt.Sprint(i), true)
		}
		return list
	}
	bad := map[string][]byte{
		"empty":                   {},
		"garbage":                 []byte("GET / HTTP/1.1\r\n\r\n"),
		"array of 4 billion":      {0xdd, 0xff, 0xff, 0xff, 0xff},
		"bytes of 4 GB":           {0x9a, 0xc6, 0xff, 0xff, 0xff, 0xff},
		"string of 4 GB":          {0x9a, 0xdb, 0xff, 0xff, 0xff, 0xff},
		"string of 64 KB":         {0x9a, 0xda, 0xff, 0xff},
		"deep":                    bytes.Repeat([]byte{0x91}, channel.MaxFrame),
		"head too large":          pack(t, with(with(good(), 8, wide(32, "a")), 9, wide(32, "b"))),
		"body too large":          append(pack(t, good()), make([]byte, channel.MaxBody+1)...),
		"announcement is garbage": append(pack(t, head(from, "", "channels")), 0xdd, 0xff, 0xff, 0xff, 0xff),
		"announcement is empty":   pack(t, head(from, "", "channels")),
		"announcement is text":    append(pack(t, head(from, "", "channels")), pack(t, "text")...),
	}
	for what, fields := range map[string][]any{
		"other source":           head(from+1, "work", "a"),
		"no source":              head(0, "work", "a"),
		"this node as source":    head(1, "work", "a"),
		"no type":                head(from, "work", ""),
		"long channel":           head(from, long[:channel.MaxName+1], "a"),
		"long type":              head(from, "work", long[:channel.MaxName+1]),
		"nine fields":            good()[:9],
		"eleven fields":          append(good(), 0),
		"no fields":              {},
		"channel is a number":    with(good(), 0, 1),
		"channel is bytes":       with(good(), 0, []byte("work")),
		"type is nil":            with(good(), 1, nil),
		"priority 2":             with(good(), 2, 2),
		"priority -2":            with(good(), 2, -2),
		"priority is text":       with(good(), 2, "urgent"),
		"priority is a float":    with(good(), 2, 1.0),
		"source is negative":     with(good(), 3, -1),
		"source is text":         with(good(), 3, "2"),
		"sequence is a list":     with(good(), 4, []any{}),
		"left is negative":       with(good(), 5, -1),
		"left is for ever":       with(good(), 5, ^uint64(0)),
		"re is nil":              with(good(), 6, nil),
		"from is a map":          with(good(), 8, map[string]bool{"a": true}),
		"from is nil":            with(good(), 8, nil),
		"from is no pairs":       with(good(), 8, []any{"a"}),
		"attributes no pairs":    with(good(), 9, []any{"a"}),
		"33 attributes":          with(good(), 9, pairs(33)),
		"33 attributes of nodes": with(good(), 8, pairs(33)),
		"attribute without name": with(good(), 9, []any{"", true}),
		"node's without name":    with(good(), 8, []any{"", true}),
		"attribute name":         with(good(), 9, []any{1, true}),
		"long attribute name":    with(good(), 9, []any{long[:channel.MaxName+1], true}),
		"attribute of nothing":   with(good(), 9, []any{"a", nil}),
		"attribute of float32":   with(good(), 9, []any{"a", float32(1)}),
		"attribute of bytes":     with(good(), 9, []any{"a", []byte("b")}),
		"attribute of a list":    with(good(), 9, []any{"a", []any{}}),
		"attribute of a time":    with(good(), 9, []any{"a", time.Unix(1, 0)}),
		"attribute beyond 63":    with(good(), 9, []any{"a", ^uint64(0)}),
		"node's beyond 63":       with(good(), 8, []any{"a", ^uint64(0)}),
		"long text":              with(good(), 9, []any{"a", long}),
	} {
		bad[what] = pack(t, fields)
	}
	whole := pack(t, with(with(good(), 8, []any{"load", 0.5}), 9, []any{"color", "red", "tries", 1000, "fresh", true}))
	for n := range whole {
		bad[fmt.Sprintf("ends after %d of %d bytes", n, len(whole))] = whole[:n]
	}
	return bad
}

func wide(n int, prefix string) (list []any) {
	for i := range n {
		list = append(list, fmt.Sprint(prefix, i), strings.Repeat("x", channel.MaxText))
	}
	return list
}

// A peer that breaks the protocol loses its link, and only that.
func TestProtocolBreakersLoseTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, hub := channeltest.Nodes(t, 2)
		chans := channeltest.Open(t, "work", nodes...)
		got := channeltest.Record(t, chans[0], channel.Match{})
		raw := startRawPeer(t, hub, 3)
		synctest.Wait()
		for what, frame := range badFrames(t, raw.id) {
			hub.Up(1, raw.id)
			synctest.Wait()
			raw.announce(t, 1, "work")
			synctest.Wait()
			if n := sinkCount(chans[0]); n != 2 {
				t.Fatalf("before %s: %d sinks, want 2", what, n)
			}
			if err := raw.links.Send(t.Context(), 1, channel.Handling{Priority: channel.Normal}, frame); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if n := sinkCount(chans[0]); n != 1 || len(raw.downs) == 0 {
				t.Errorf("%s: the link is still up", what)
			}
			raw.downs = nil
		}
		if n := len(got.Events()); n != 0 {
			t.Errorf("%d events of all that arrived, the first is %+v", n, got.Events()[0])
		}
		submit(t, chans[1], channel.Event{Type: "a"})
		got.Wait(t, 1)
	})
}

// What a later version may send is ignored, and valid msgpack that we would
// write otherwise is taken.
func TestTolerance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, hub := channeltest.Nodes(t, 1)
		chans := channeltest.Open(t, "work", nodes...)
		got := channeltest.Record(t, chans[0], channel.Match{})
		raw := startRawPeer(t, hub, 3)
		synctest.Wait()
		for _, fields := range [][]any{
			head(3, "", "of a later version"),
			head(3, "not open here", "a"),
			head(3, "work", "a"),
			with(head(3, "work", "b"), 2, uint64(1)),
			with(head(3, "work", "c"), 9, []any{"a", int64(5), "a", uint8(6)}),
		} {
			if err := raw.links.Send(t.Context(), 1, channel.Handling{Priority: channel.Normal}, pack(t, fields)); err != nil {
				t.Fatal(err)
			}
		}
		later := pack(t, []any{uint64(7), []string{"work"}, false, "a field of a later version", map[string]any{"x": 1}})
		raw.links.Send(t.Context(), 1, channel.Handling{Priority: channel.Normal}, append(pack(t, head(3, "", "channels")), later...))
		synctest.Wait()
		all := got.Wait(t, 3)
		slices.SortFunc(all, func(a, b *channel.Event) int { return strings.Compare(string(a.Type), string(b.Type)) }) // the urgent one overtakes
		if all[1].Priority != channel.Urgent {
			t.Errorf("priority %v", all[1].Priority)
		}
		if v, ok := tries.In(all[2].Attrs); ok {
			t.Errorf("an attribute that is not there is %v", v)
		}
		if v, _ := channel.Key[int64]("a").In(all[2].Attrs); v != 5 {
			t.Errorf("of two attributes of a name %v counts, want the first", v)
		}
		if n := sinkCount(chans[0]); n != 1 || len(raw.downs) > 0 {
			t.Errorf("%d sinks, link ended by %v", n, raw.downs)
		}
	})
}
