package link

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
)

var sample = greeting{from: 0x0102030405060708, to: 9, attempt: 3, name: "web1", cluster: "shop"}

// The bytes are spec.md's.
func TestGreetingBytes(t *testing.T) {
	want := "kech\x00\x01" + "\x01\x02\x03\x04\x05\x06\x07\x08" + "\x00\x00\x00\x00\x00\x00\x00\x09" +
		"\x00\x00\x00\x00\x00\x00\x00\x03" + "\x04web1" + "\x04shop"
	if got := string(sample.append(nil)); got != want {
		t.Errorf("greeting is\n%q, want\n%q", got, want)
	}
	got, err := parseGreeting([]byte(want + "a later version's field"))
	if err != nil || got != sample {
		t.Errorf("parsed %+v, %v, want %+v", got, err, sample)
	}
}

func TestGreetingRefused(t *testing.T) {
	good := sample.append(nil)
	for n := range good {
		if g, err := parseGreeting(good[:n]); !errors.Is(err, ErrProtocol) {
			t.Errorf("cut to %d bytes: %+v, %v, want ErrProtocol", n, g, err)
		}
	}
	long := sample
	long.name = strings.Repeat("x", maxName+1)
	empty := sample
	empty.name = ""
	for what, b := range map[string][]byte{
		"a name over the limit": long.append(nil),
		"no name":               empty.append(nil),
		"another protocol":      []byte("GET / HTTP/1.1\r\nHost: web1\r\n\r\n"),
	} {
		if g, err := parseGreeting(b); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %+v, %v, want ErrProtocol", what, g, err)
		}
	}
	binary.BigEndian.PutUint16(good[4:], 2)
	var no *refusal
	if _, err := parseGreeting(good[:6]); !errors.As(err, &no) || no.code != codeVersion || !strings.Contains(no.text, "version 2") {
		t.Errorf("version 2, of which nothing else is known: %v, want a refusal that says so", err)
	}
}

func TestRefusal(t *testing.T) {
	in := &refusal{codeName, strings.Repeat("é", 200)}
	out, err := parseRefusal(in.append(nil))
	if err != nil || out.code != codeName || len(out.text) != maxText {
		t.Errorf("a refusal of %d bytes came back with code %d and %d bytes, %v", len(in.text), out.code, len(out.text), err)
	}
	if _, err := parseRefusal(nil); !errors.Is(err, ErrProtocol) {
		t.Errorf("empty refusal: %v, want ErrProtocol", err)
	}
}

func TestReadControl(t *testing.T) {
	hello := appendFrame(nil, kindHello, sample.append(nil))
	src := bytes.NewReader(append(hello, "rest"...))
	kind, payload, err := readControl(src)
	if err != nil || kind != kindHello || src.Len() != 4 {
		t.Errorf("read kind %d, %d bytes, %v, left %d; want a hello and 4 left for the link", kind, len(payload), err, src.Len())
	}
	for what, b := range map[string][]byte{
		"an event first":       appendFrame(nil, kindUrgent, []byte("x")),
		"too long for a hello": {0, 0, 2, 1, kindHello},
		"far too long":         {0xff, 0xff, 0xff, 0xff, kindHello},
		"HTTP":                 []byte("GET / HTTP/1.1\r\n"),
	} {
		if _, _, err := readControl(bytes.NewReader(b)); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v, want ErrProtocol", what, err)
		}
	}
	for n := range hello {
		if _, _, err := readControl(bytes.NewReader(hello[:n])); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut to %d bytes: %v, want EOF", n, err)
		}
	}
}

func FuzzGreeting(f *testing.F) {
	f.Add(sample.append(nil))
	f.Add([]byte("kech\x00\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := parseGreeting(b)
		if err != nil {
			return
		}
		if len(g.name) > maxName || len(g.cluster) > maxName || g.name == "" {
			t.Fatalf("parsed %+v", g)
		}
		again := g.append(nil)
		if !bytes.HasPrefix(b, again) {
			t.Fatalf("%q is parsed as %+v, which is %q", b, g, again)
		}
		if len(again) > maxControl {
			t.Fatalf("a greeting of %d bytes does not fit into its frame", len(again))
		}
	})
}

func FuzzRefusal(f *testing.F) {
	f.Add([]byte("\x01no"))
	f.Fuzz(func(t *testing.T, b []byte) {
		no, err := parseRefusal(b)
		if err == nil && len(no.text) > maxText {
			t.Fatalf("a text of %d bytes", len(no.text))
		}
	})
}
