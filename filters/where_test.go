package filters

import (
	"testing"

	"pgregory.net/rapid"

	"kecho/channel"
)

func TestWhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, sinks := drawEvent(t), drawSinks(t)
		keep := func(e *channel.Event, s *channel.Sink) bool {
			return (uint64(s.Node)+e.ID.Seq)%2 == 0
		}
		mustKeep(t, Where(keep), e, sinks, naive(sinks, func(s channel.Sink) bool { return keep(e, &s) }))
	})
}
