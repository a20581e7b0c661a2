package filters

import (
	"testing"

	"pgregory.net/rapid"

	"kecho/channel"
)

func TestToOrigin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, sinks := drawEvent(t), drawSinks(t)
		want := naive(sinks, func(s channel.Sink) bool {
			return e.Re != channel.ID{} && s.Node == e.Re.Source
		})
		mustKeep(t, ToOrigin, e, sinks, want)
	})
}
