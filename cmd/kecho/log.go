package main

import (
	"log/slog"

	"github.com/urfave/cli/v2"
)

// newLogger is the logger that --log-format and --log-level ask for, to
// standard error.
func newLogger(c *cli.Context) (*slog.Logger, error) {
	opts := &slog.HandlerOptions{}
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
			opts.ReplaceAttr = shortTime
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

// shortTime shows the time of day only, to somebody who looks on.
func shortTime(groups []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && len(groups) == 0 && a.Value.Kind() == slog.KindTime {
		a.Value = slog.StringValue(a.Value.Time().Format("15:04:05.000"))
	}
	return a
}
