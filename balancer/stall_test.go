package balancer

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestStalledOwner: an owner that neither reads nor sends does not hold a
// place for ever; an answer that is quiet does.
func TestStalledOwner(t *testing.T) {
	get := requestHead{Method: "GET", Target: "/", Host: "web", Fin: true, Window: 1000}
	put := requestHead{Method: "PUT", Target: "/", Host: "web", Length: -1, Window: maxWindow}
	for _, c := range []struct {
		name string
		head requestHead
		web  http.HandlerFunc
		held bool
	}{
		{"no credit", get, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, pattern(1<<30, 4<<10)) // until it is cut off
		}, false},
		{"no body", put, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
		}, false},
		{"no body beside an answer", put, func(w http.ResponseWriter, r *http.Request) {
			control := http.NewResponseController(w)
			_ = control.EnableFullDuplex()
			_ = control.Flush()
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, false},
		{"a quiet answer", get, func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cl := newCluster(t, 1, nil)
				m := cl.members[0]
				p := cl.raw()
				m.web.set(c.web)
				id := p.request(c.head)
				time.Sleep(29 * time.Second)
				if s := m.Stats(); s.Exchanges != 1 {
					t.Errorf("%d exchanges after 29 s, want 1", s.Exchanges)
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if s := m.Stats(); (s.Exchanges == 1) != c.held {
					t.Errorf("%d exchanges after 31 s", s.Exchanges)
				}
				if !c.held {
					p.ofType(typeFailed, 1)
				}
				p.say(typeCancel, id, nil)
				cl.idle()
			})
		})
	}
}

// TestSlowIsNotStalled: a reader that takes a minute and more for what is
// credited at once elsewhere makes progress.
func TestSlowIsNotStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 300_000
		out := newOutflow(maxWindow)
		out.patience = 30 * time.Second
		in := newInflow(maxWindow, out.add)
		var sent sync.WaitGroup
		sent.Go(func() {
			err := sendBody(pattern(size, 4<<10), out, func() http.Header { return nil }, func(b []byte) error {
				c, err := unpackChunk(bytes.Clone(b))
				if err != nil {
					return err
				}
				return in.push(c)
			})
			if err != nil {
				t.Errorf("send: %v", err)
				in.fail(err)
			}
		})
		n, err := 0, error(nil)
		for buf := make([]byte, 700); err == nil; time.Sleep(time.Second) {
			var read int
			read, err = in.Read(buf)
			n += read
		}
		sent.Wait()
		if n != size || err != io.EOF {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}
