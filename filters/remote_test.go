package filters

import (
	"testing"

	"pgregory.net/rapid"

	"kecho/channel"
)

func TestRemoteOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, sinks := drawEvent(t), drawSinks(t)
		mustKeep(t, RemoteOnly, e, sinks, naive(sinks, func(s channel.Sink) bool { return !s.Local }))
	})
}
