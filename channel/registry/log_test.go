package registry

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSerfLog(t *testing.T) {
	for line, want := range map[string]string{
		"[DEBUG] serf: x\n":                        "DEBUG serf: x",
		"[INFO] serf: EventMemberJoin: a\n":        "DEBUG serf: EventMemberJoin: a",
		"[WARN] serf: Event queue depth: 200\n":    "WARN serf: Event queue depth: 200",
		"[ERR] memberlist: Decrypt packet failed":  "WARN memberlist: Decrypt packet failed",
		"[WARN] memberlist: Refuting a suspect me": "DEBUG memberlist: Refuting a suspect me",
		"Err: no level":                            "DEBUG Err: no level",
	} {
		level, text := split(strings.TrimSpace(line))
		if got := level.String() + " " + text; got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
	if _, text := split("[WARN] " + strings.Repeat("x", 10_000)); len(text) > 300 {
		t.Errorf("%d bytes are kept", len(text))
	}
}

func TestSerfLogRepeatsNoWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := newSerfLog(slog.New(slog.NewTextHandler(&out, nil)))
		for range 1000 {
			log.Print("[ERR] memberlist: Decrypt packet failed: from 1")
			log.Print("[ERR] memberlist: discarding packet from 2")
		}
		if n := strings.Count(out.String(), "\n"); n != 2 {
			t.Errorf("%d lines, want 2:\n%s", n, &out)
		}
		time.Sleep(time.Minute)
		log.Print("[ERR] memberlist: Decrypt packet failed: from 1")
		if n := strings.Count(out.String(), "\n"); n != 3 {
			t.Errorf("%d lines after a minute, want 3", n)
		}
	})
}
