package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// id is a number that writes itself otherwise, as channel.NodeID does.
type id uint64

func (id) String() string { return "00ab" }

func TestLogSpellsValues(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{ReplaceAttr: spelled}))
	log.Info("hello", "id", id(171), "within", 50*time.Millisecond, "err", errors.New("refused"), "n", 4, "join", []string{"a"})
	for _, want := range []string{`"id":"00ab"`, `"within":"50ms"`, `"err":"refused"`, `"n":4`, `"join":["a"]`, `"level":"INFO"`, `"msg":"hello"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, &out)
		}
	}
	if strings.Contains(out.String(), "m=+") {
		t.Errorf("the time is not RFC 3339: %s", &out)
	}
}

func TestLogOnATerminalIsBrief(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: briefly}))
	log.Info("hello", "id", id(171))
	if line := out.String(); len(strings.Fields(line)[0]) != len("time=15:04:05.000") || !strings.HasSuffix(line, "id=00ab\n") {
		t.Errorf("%q", line)
	}
}
