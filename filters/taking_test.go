package filters

import (
	"testing"

	"pgregory.net/rapid"

	"kecho/channel"
)

func TestTaking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, sinks := drawEvent(t), drawSinks(t)
		want := naive(sinks, func(s channel.Sink) bool {
			for _, a := range s.Attrs {
				if a.Name == "draining" && a.Value() == true {
					return false
				}
				if w, ok := a.Value().(float64); ok && a.Name == "weight" && w == 0 {
					return false
				}
				if places, ok := a.Value().(int64); ok && a.Name == "capacity" && places <= 0 {
					return false
				}
			}
			return true
		})
		mustKeep(t, Taking, e, sinks, want)
	})
}
