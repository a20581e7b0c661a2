package channel

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"
)

// judged is the envelope as msgpack/v5 sees it: the layout of spec.md, spelled
// by a library that knows nothing of our encoder.
type judged struct {
	Channel, Type string
	Priority      int8
	Source, Seq   uint64
	Left          uint64
	ReSource      uint64
	ReSeq         uint64
	From, Attrs   []any
}

func judge(list Attrs) []any {
	out := []any{}
	for _, a := range list {
		out = append(out, a.Name, a.Value())
	}
	return out
}

// drawAttrs draws attributes that Submit accepts.
func drawAttrs(t *rapid.T, label string) Attrs {
	name := rapid.StringN(1, 16, MaxName)
	one := rapid.Custom(func(t *rapid.T) Attr {
		switch name := name.Draw(t, "name"); rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return Key[bool](name).Of(rapid.Bool().Draw(t, "value"))
		case 1:
			return Key[int64](name).Of(rapid.Int64().Draw(t, "value"))
		case 2:
			return Key[float64](name).Of(rapid.Float64().Draw(t, "value"))
		default:
			return Key[string](name).Of(rapid.StringN(0, 300, MaxText).Draw(t, "value"))
		}
	})
	return rapid.SliceOfN(one, 0, MaxAttrs).Draw(t, label)
}

func drawEvent(t *rapid.T) (channel string, e Event, left time.Duration, from Attrs) {
	text := rapid.StringN(1, 16, MaxName)
	id := rapid.Custom(func(t *rapid.T) ID {
		return ID{NodeID(rapid.Uint64().Draw(t, "source")), rapid.Uint64().Draw(t, "seq")}
	})
	e = Event{
		ID:       id.Draw(t, "id"),
		Type:     Type(text.Draw(t, "type")),
		Priority: Priority(rapid.Int8Range(-1, 1).Draw(t, "priority")),
		Re:       id.Draw(t, "re"),
		Attrs:    drawAttrs(t, "attrs"),
		Body:     rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "body"),
	}
	left = time.Duration(rapid.Int64Range(0, int64(math.MaxInt64/time.Microsecond)).Draw(t, "left")) * time.Microsecond
	return text.Draw(t, "channel"), e, left, drawAttrs(t, "from")
}

// drawPath draws one for about half of the events.
func drawPath(t *rapid.T) []string {
	if rapid.Bool().Draw(t, "submitted here") {
		return nil
	}
	return rapid.SliceOfN(rapid.StringN(1, 16, MaxName), 1, MaxPath).Draw(t, "path")
}

func encode(channel string, e *Event, left time.Duration, from Attrs) []byte {
	return appendEnvelope(nil, channel, e, left, appendPairs(appendArrayHeader(nil, 2*len(from)), from))
}

// What we encode, we decode to the same, with a decoder that has seen other
// frames before, or one with the same head, or with nothing else but another
// sequence number and body.
func TestEnvelopeRoundTrip(t *testing.T) {
	var d decoder
	rapid.Check(t, func(t *rapid.T) {
		name, e, left, from := drawEvent(t)
		e.Path = drawPath(t)
		var got Event
		before, beforeLeft, beforeFrom := e, left, from
		before.ID.Seq, before.Body = 1, []byte("before")
		switch rapid.IntRange(0, 2).Draw(t, "before") {
		case 0:
			before.Re, before.Attrs, beforeLeft, beforeFrom = ID{}, nil, 0, nil
		case 1:
			before.Path = nil
		}
		if _, err := d.decode(encode(name, &before, beforeLeft, beforeFrom), &got); err != nil {
			t.Fatal(err)
		}
		if _, err := d.decode(encode(name, &e, left, from), &got); err != nil {
			t.Fatal(err)
		}
		if string(d.head.channel) != name || d.rest.left != left || !slices.Equal(d.rest.from.attrs, from) {
			t.Errorf("got channel %q, %v left, from %v", d.head.channel, d.rest.left, d.rest.from.attrs)
		}
		if !slices.Equal(got.Attrs, e.Attrs) || !bytes.Equal(got.Body, e.Body) || !slices.Equal(got.Path, e.Path) {
			t.Errorf("got %v, path %q and body %q", got.Attrs, got.Path, got.Body)
		}
		got.Attrs, got.Body, got.Path, e.Attrs, e.Body, e.Path = nil, nil, nil, nil, nil, nil
		if !reflect.DeepEqual(got, e) {
			t.Errorf("got %+v, want %+v", got, e)
		}
	})
}

// What we encode is msgpack, and says what it should, to msgpack/v5.
func TestEnvelopeIsMsgpack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name, e, left, from := drawEvent(t)
		frame := encode(name, &e, left, from)
		head := frame[:len(frame)-len(e.Body)]
		if err := scan(head); err != nil {
			t.Fatalf("scan: %v", err)
		}
		dec := msgpack.NewDecoder(bytes.NewReader(frame))
		dec.UseLooseInterfaceDecoding(true) // every integer as int64 or uint64
		var got judged
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		want := judged{
			name, string(e.Type), int8(e.Priority), uint64(e.ID.Source), e.ID.Seq,
			uint64(left / time.Microsecond), uint64(e.Re.Source), e.Re.Seq, nil, nil,
		}
		compare(t, "from", got.From, judge(from))
		compare(t, "attrs", got.Attrs, judge(e.Attrs))
		got.From, got.Attrs = nil, nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("msgpack/v5 decodes %+v, want %+v", got, want)
		}
	})
}

func compare(t *rapid.T, what string, got, want []any) {
	if len(got) != len(want) {
		t.Fatalf("%s: msgpack/v5 decodes %d elements, want %d", what, len(got), len(want))
	}
	for i := range got {
		if u, ok := got[i].(uint64); ok {
			got[i] = int64(u)
		}
		if g, w := fmt.Sprintf("%T %v", got[i], got[i]), fmt.Sprintf("%T %v", want[i], want[i]); g != w {
			t.Errorf("%s: msgpack/v5 decodes %s, want %s", what, g, w)
		}
	}
}

// What msgpack/v5 encodes in that layout, with numbers in any width, we decode.
func TestEnvelopeOfMsgpack(t *testing.T) {
	var d decoder
	rapid.Check(t, func(t *rapid.T) {
		name, e, left, from := drawEvent(t)
		var b bytes.Buffer
		enc := msgpack.NewEncoder(&b)
		enc.UseArrayEncodedStructs(true)
		enc.UseCompactInts(rapid.Bool().Draw(t, "compact"))
		err := enc.Encode(&judged{
			name, string(e.Type), int8(e.Priority), uint64(e.ID.Source), e.ID.Seq,
			uint64(left / time.Microsecond), uint64(e.Re.Source), e.Re.Seq, judge(from), judge(e.Attrs),
		})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(e.Body)
		var got Event
		if _, err := d.decode(b.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(encode(string(d.head.channel), &got, d.rest.left, d.rest.from.attrs), encode(name, &e, left, from)) {
			t.Errorf("got %+v from %v, want %+v from %v", got, d.rest.from.attrs, e, from)
		}
	})
}

// The decoder's memory must not grow with what peers send, nor mix it up.
func TestInternIsBounded(t *testing.T) {
	var in intern
	for i := range 5 * maxInterned {
		text := fmt.Sprint("text ", i)
		if got := in.string([]byte(text)); got != text {
			t.Fatalf("%q became %q", text, got)
		}
	}
	if len(in) > maxInterned {
		t.Errorf("%d strings remembered, at most %d", len(in), maxInterned)
	}
	clear(in)
	if long := strings.Repeat("x", MaxName+1); in.string([]byte(long)) != long || len(in) != 0 {
		t.Errorf("a long string is remembered")
	}
}

// FuzzEnvelope: no bytes make the decoder panic, and what it accepts comes out
// the same when encoded again.
func FuzzEnvelope(f *testing.F) {
	e := &Event{
		ID: ID{2, 300}, Re: ID{1, 70000}, Type: "a", Priority: Bulk, Body: []byte("body"),
		Attrs: Attrs{Key[bool]("b").Of(true), Key[int64]("i").Of(-200), Key[float64]("f").Of(0.5), Key[string]("s").Of(strings.Repeat("x", 40))},
	}
	whole := encode("work", e, time.Second, e.Attrs)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	far := *e
	far.Path = []string{"east", "west"}
	f.Add(encode("work", &far, time.Second, e.Attrs))
	for _, bomb := range bombs {
		f.Add(bomb)
		f.Add(append([]byte{fixArray | envelopeFields}, bomb...))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		var d decoder
		var e Event
		if _, err := d.decode(frame, &e); err != nil {
			return
		}
		if len(e.Body) > MaxBody || len(e.Attrs) > MaxAttrs || len(d.rest.from.attrs) > MaxAttrs || e.Type == "" || len(e.Type) > MaxName || len(e.Path) > MaxPath {
			t.Errorf("accepted beyond the limits: %+v", e)
		}
		if head := frame[:len(frame)-len(e.Body)]; scan(head) != nil {
			t.Errorf("accepted, but scan says %v", scan(head))
		}
		again := encode(string(d.head.channel), &e, d.rest.left, d.rest.from.attrs)
		var e2 Event
		if _, err := d.decode(again, &e2); err != nil {
			t.Fatalf("what it decodes to does not encode: %v", err)
		}
		if third := encode(string(d.head.channel), &e2, d.rest.left, d.rest.from.attrs); !bytes.Equal(again, third) {
			t.Errorf("encoded %x, then %x", again, third)
		}
	})
}
