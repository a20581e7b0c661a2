package registry

import (
	"context"
	"log"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// logWriter takes serf's and memberlist's log lines, "[WARN] serf: ...", and
// logs them with slog.
type logWriter struct {
	logger *slog.Logger

	mu   sync.Mutex
	last map[string]time.Time // when a warning of that kind was last logged
}

// quietFor is how long a warning is repeated only at the debug level: whoever
// sends broken packets must not fill the log.
const quietFor = 30 * time.Second

// noise is what they warn of in the normal life of a cluster, or what this
// package says better. Of keys that differ both sides are to hear.
var noise = []string{
	"Refuting",
	"Failed fallback",
	"Failed UDP",
	"Failed to send",
	"failed to receive: EOF",
	"timeout",
	"reset by peer",
	"closed network",
	errDown.Error(),
	"Push/Pull with",
	"Shutdown without",
	"Conflicting address",
	"onflict",
	"ignoring alive",
	"Bad state when leave",
	"without encryption",
	"unexpected node",
}

func newSerfLog(logger *slog.Logger) *log.Logger {
	return log.New(&logWriter{logger: logger, last: make(map[string]time.Time)}, "", 0)
}

func (w *logWriter) Write(line []byte) (int, error) {
	level, text := split(strings.TrimSpace(string(line)))
	if level >= slog.LevelWarn && w.again(text) {
		level = slog.LevelDebug
	}
	w.logger.Log(context.Background(), level, text, "from", "serf")
	return len(line), nil
}

// split parts a line into its level and the rest, of which only the beginning
// is kept: it may quote what a stranger sent.
func split(line string) (slog.Level, string) {
	level := slog.LevelDebug
	if strings.HasPrefix(line, "[") {
		name, rest, ok := strings.Cut(line[1:], "] ")
		if ok {
			line = rest
		}
		switch name {
		case "WARN", "ERR", "ERROR":
			level = slog.LevelWarn
		}
	}
	for _, text := range noise {
		if strings.Contains(line, text) {
			level = slog.LevelDebug
		}
	}
	if len(line) > 256 {
		line = line[:256] + "..."
	}
	return level, line
}

// again reports whether something of the kind of text was logged just now.
func (w *logWriter) again(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	kind := text[:min(len(text), 32)]
	now := time.Now()
	if last, ok := w.last[kind]; ok && now.Sub(last) < quietFor {
		return true
	}
	if len(w.last) >= 64 {
		clear(w.last)
	}
	w.last[kind] = now
	return false
}
