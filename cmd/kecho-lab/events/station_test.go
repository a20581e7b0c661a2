package events

import (
	"context"
	"encoding/binary"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestServeRefuses(t *testing.T) {
	err := Serve(t.Context(), Config{Bus: "carrier pigeon"}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "want tcp, quic or nats://HOST:PORT") {
		t.Error(err)
	}
}

func TestSendRefuses(t *testing.T) {
	s := &station{}
	for _, o := range []Send{{Size: MinSize - 1, For: 1}, {Size: MinSize}, {Size: MinSize, For: 1, Rate: -1}} {
		if _, err := s.send(t.Context(), o); err == nil {
			t.Errorf("%+v is sent", o)
		}
	}
}

func TestOrder(t *testing.T) {
	do := order(func(_ context.Context, h Hear) (Heard, error) { return Heard{Events: h.Events + 1}, nil })
	for body, want := range map[string]string{`{"events":2}`: `"events":3`, `{`: "unexpected EOF"} {
		w := httptest.NewRecorder()
		do(w, httptest.NewRequest("POST", "/heard", strings.NewReader(body)))
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s, want %s", body, w.Code, w.Body, want)
		}
	}
}

// board is a bus that hands events to one handler at once.
type board struct {
	handler func([]byte)
	floods  int
}

func (b *board) hear(_ string, h func([]byte)) error { b.handler = h; return nil }
func (b *board) ready(string, int) error             { return nil }
func (b *board) flush() error                        { return nil }
func (b *board) publish(_ context.Context, _ string, body []byte, flood bool) error {
	if flood {
		b.floods++
	}
	b.handler(body)
	return nil
}

// A flood is counted, and its last event tells when it ended.
func TestFloodIsCounted(t *testing.T) {
	b := new(board)
	s := &station{bus: b, clock: clock{start: time.Now(), at: 1}}
	b.hear("", s.handle)
	sent, err := s.send(t.Context(), Send{Size: 100, For: time.Millisecond})
	heard := s.tally.await(t.Context(), sent.Events)
	if err != nil || sent.Events == 0 || b.floods != sent.Events || heard.Events != sent.Events || len(heard.Took) != 1 {
		t.Errorf("%+v, %v; heard %d, %d with a time", sent, err, heard.Events, len(heard.Took))
	}
	if heard.Last < sent.Began || heard.Last > sent.Ended {
		t.Errorf("the last was heard at %d, sent from %d to %d", heard.Last, sent.Began, sent.Ended)
	}
	s.tally.clear()
	if again := s.tally.await(t.Context(), 0); again.Events != 0 || len(again.Took) != 0 || again.Last != 0 {
		t.Errorf("cleared, and there is %+v", again)
	}
}

func TestHandleNotesTheTime(t *testing.T) {
	s := &station{clock: clock{start: time.Now(), at: 1000}}
	s.handle(binary.BigEndian.AppendUint64(nil, 400))
	if heard := s.tally.await(t.Context(), 1); len(heard.Took) != 1 || heard.Took[0] < 600 || heard.Last != heard.Took[0]+400 {
		t.Errorf("%+v: want at least 600 ns since 400", heard)
	}
}

func TestAwaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tal tally
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		time.AfterFunc(time.Minute, tal.count)
		if h := tal.await(ctx, 1); h.Events != 0 {
			t.Errorf("%+v before there was any", h)
		}
		if h := tal.await(t.Context(), 1); h.Events != 1 {
			t.Errorf("%+v after a minute", h)
		}
	})
}

// The clock tells what the system's does, wherever it was started.
func TestClock(t *testing.T) {
	a, err := newClock()
	b, err2 := newClock()
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if x, y, z := a.now(), b.now(), a.now(); x > y+int64(time.Millisecond) || y > z+int64(time.Millisecond) {
		t.Errorf("two clocks tell %d, %d, %d", x, y, z)
	}
}
