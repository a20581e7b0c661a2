package gateway_test

import (
	"testing"
	"time"

	"kecho/channel"
)

// BenchmarkEvent is the time from a submit to the handler over links in memory:
// within a cluster, and in another one behind a gateway, which is a second hop.
func BenchmarkEvent(b *testing.B) {
	for _, c := range []struct{ name, to string }{{"direct", "a"}, {"gateway", "b"}} {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld(b, "a", "b")
			if c.to == "b" {
				w.connect("a", "b")
				w.clusters["a"].news[1].Close() // one sink in each cluster, as without
				w.clusters["b"].news[0].Close()
			}
			came := make(chan struct{}, 1)
			to := w.clusters[c.to].news[1]
			sub, err := to.SubscribeInline(channel.Match{}, func(*channel.Event) { came <- struct{}{} })
			if err != nil {
				b.Fatal(err)
			}
			defer sub.Close()
			time.Sleep(500 * time.Millisecond) // until it is known what is wanted
			e := channel.Event{Type: "x", Body: make([]byte, 100)}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.clusters["a"].news[0].Submit(b.Context(), e); err != nil {
					b.Fatal(err)
				}
				<-came
			}
		})
	}
}
