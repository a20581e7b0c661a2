package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/urfave/cli/v2"
)

// newLogger is the logger that --log-format and --log-level ask for, to
// standard error.
func newLogger(c *cli.Context) (*slog.Logger, error) {
	opts := &slog.HandlerOptions{ReplaceAttr: spelled}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return nil, usageError(c, "--log-level %q: want debug, info, warn or error", c.String("log-level"))
	}
	opts.Level = level
	format := c.String("log-format")
	if format == "auto" {
		format = "json"
		if terminal(c.App.ErrWriter) {
			format = "text"
			opts.ReplaceAttr = briefly
		}
	}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(c.App.ErrWriter, opts)), nil
	case "text":
		return slog.New(slog.NewTextHandler(c.App.ErrWriter, opts)), nil
	}
	return nil, usageError(c, "--log-format %q: want auto, json or text", format)
}

// spelled writes values as they write themselves. JSON would have a node's id
// as a number that jq rounds, and durations in nanoseconds.
func spelled(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case time.Time, error: // the handlers' own ways are right
	case fmt.Stringer:
		a.Value = slog.StringValue(v.String())
	}
	return a
}

// briefly is spelled with the time of day only, for somebody who looks on.
func briefly(groups []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && len(groups) == 0 && a.Value.Kind() == slog.KindTime {
		a.Value = slog.StringValue(a.Value.Time().Format("15:04:05.000"))
	}
	return spelled(groups, a)
}
