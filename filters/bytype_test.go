package filters

import (
	"testing"

	"pgregory.net/rapid"

	"kecho/channel"
)

func TestByType(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, sinks := drawEvent(t), drawSinks(t)
		table := map[channel.Type]channel.Filter{"request": RemoteOnly, "answer": ToOrigin, "body": nil}
		var otherwise channel.Filter
		if rapid.Bool().Draw(t, "otherwise") {
			otherwise = None
		}
		f := ByType(table, otherwise)
		clear(table) // the filter has its own
		want := naive(sinks, func(s channel.Sink) bool {
			switch e.Type {
			case "request":
				return !s.Local
			case "answer":
				return !e.Re.IsZero() && s.Node == e.Re.Source
			case "body":
				return true
			}
			return otherwise == nil
		})
		mustKeep(t, f, e, sinks, want)
	})
}
