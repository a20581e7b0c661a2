package gateway_test

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"

	"kecho/channel"
	"kecho/channel/channeltest"
)

// A member that sends events in the name of a source of another cluster, with
// numbers that the source has not come to, does not silence it: neither here nor
// in the clusters behind.
func TestALiarDoesNotSilenceASource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b", "c")
		gs := []running{w.connect("a", "b"), w.connect("a", "b")}
		w.connect("b", "c")
		source := w.clusters["a"].news[0]
		inB := channeltest.Record(t, w.clusters["b"].news[0], channel.Match{Type: "x"})
		inC := channeltest.Record(t, w.clusters["c"].news[0], channel.Match{Type: "x"})
		liar := w.join(t.Context(), w.clusters["b"])
		defer liar.WatchInterests(func() {})()
		settle()
		n := 0
		tell := func() {
			for i := range 200 {
				if i%20 == 10 {
					lie := channel.Event{ID: channel.ID{Source: source.Node(), Seq: math.MaxInt64 - uint64(i)}, Type: "x", Path: []string{"a"}, Body: fmt.Append(nil, "lie ", n)}
					if err := liar.Forward(t.Context(), &lie); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				submit(t, source, "x", fmt.Sprint(n))
				synctest.Wait()
				n++
			}
		}
		tell()
		first := 0
		if total(gs[1]).Forwarded > 0 {
			first = 1
		}
		gs[first].end()
		settle()
		tell()
		for where, got := range map[string]*channeltest.Recorder{"b": inB, "c": inC} {
			came := 0
			once(t, got)
			for _, body := range got.Bodies() {
				if body[0] != 'l' {
					came++
				}
			}
			if came != n {
				t.Errorf("%d of %d events came to %s", came, n, where)
			}
		}
	})
}
