package main

import (
	"bytes"
	"testing"
)

func TestTableInColour(t *testing.T) {
	var out bytes.Buffer
	p := &printer{out: &out, color: true}
	p.printTable([][]cell{
		{text("NAME"), text("N")},
		{{text: "a", paint: green}, number("%d", 100)},
		{{text: "bé", paint: red}, number("%d", 1)},
	})
	want := "\x1b[1mNAME\x1b[0m    \x1b[1mN\x1b[0m\n" +
		"\x1b[32ma\x1b[0m     100\n" +
		"\x1b[31mbé\x1b[0m      1\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestBufferIsNoTerminal(t *testing.T) {
	if terminal(new(bytes.Buffer)) {
		t.Error("a buffer is taken for a terminal: colours in files and pipes")
	}
}
