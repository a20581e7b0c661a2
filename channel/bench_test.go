package channel

import (
	"bytes"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// heavy is an event with some of everything; from, what its node says of
// itself.
func heavy() (*Event, Attrs) {
	return &Event{
			ID: ID{1 << 60, 123456}, Re: ID{1 << 61, 654321}, Type: "request", Body: make([]byte, 100),
			Attrs: Attrs{Key[int64]("tries").Of(2), Key[string]("route").Of("forwarded")},
		},
		Attrs{Key[string]("name").Of("web-17"), Key[float64]("load").Of(0.4), Key[int64]("in-flight").Of(17)}
}

func TestCodecAllocatesNothing(t *testing.T) {
	e, from := heavy()
	raw := appendPairs(appendArrayHeader(nil, 2*len(from)), from)
	frame := appendEnvelope(nil, "work", e, time.Second, raw)
	buf := make([]byte, 0, 2*len(frame))
	if n := testing.AllocsPerRun(1000, func() { buf = appendEnvelope(buf[:0], "work", e, time.Second, raw) }); n != 0 {
		t.Errorf("encoding allocates %v times, want 0", n)
	}
	var d decoder
	var got Event
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := d.decode(frame, &got); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("decoding allocates %v times, want 0", n)
	}
}

// reflected is the same event for msgpack/v5 by reflection, as one would
// write it without thinking.
type reflected struct {
	Channel, Type string
	Priority      int8
	Source, Seq   uint64
	Left          uint64
	ReSource      uint64
	ReSeq         uint64
	From, Attrs   map[string]any
	Body          []byte
}

func reflectedOf(e *Event, from Attrs) *reflected {
	r := &reflected{
		"work", string(e.Type), 0, uint64(e.ID.Source), e.ID.Seq, 1e6, uint64(e.Re.Source), e.Re.Seq,
		map[string]any{}, map[string]any{}, e.Body,
	}
	for _, a := range from {
		r.From[a.Name] = a.Value()
	}
	for _, a := range e.Attrs {
		r.Attrs[a.Name] = a.Value()
	}
	return r
}

func BenchmarkEncode(b *testing.B) {
	e, from := heavy()
	b.Run("envelope", func(b *testing.B) {
		raw := appendPairs(appendArrayHeader(nil, 2*len(from)), from)
		var buf []byte
		b.ReportAllocs()
		for b.Loop() {
			buf = appendEnvelope(buf[:0], "work", e, time.Second, raw)
		}
		b.SetBytes(int64(len(buf)))
	})
	b.Run("msgpack", func(b *testing.B) {
		r := reflectedOf(e, from)
		var buf bytes.Buffer
		enc := msgpack.NewEncoder(&buf)
		enc.UseArrayEncodedStructs(true)
		b.ReportAllocs()
		for b.Loop() {
			buf.Reset()
			if err := enc.Encode(r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	e, from := heavy()
	b.Run("envelope", func(b *testing.B) {
		frame := encode("work", e, time.Second, from)
		var d decoder
		var got Event
		b.ReportAllocs()
		for b.Loop() {
			if _, err := d.decode(frame, &got); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(int64(len(frame)))
	})
	b.Run("msgpack", func(b *testing.B) {
		var buf bytes.Buffer
		enc := msgpack.NewEncoder(&buf)
		enc.UseArrayEncodedStructs(true)
		if err := enc.Encode(reflectedOf(e, from)); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			var got reflected
			if err := msgpack.Unmarshal(buf.Bytes(), &got); err != nil {
				b.Fatal(err)
			}
		}
	})
}
