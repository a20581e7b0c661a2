package balancer

import (
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kecho/balancer/clients"
)

// TestRoomIsMadeBetweenRequests: of many clients of few connections, those whose
// connection is closed for another see no answer, and their request was not
// begun; whoever is answered is answered whole.
func TestRoomIsMadeBetweenRequests(t *testing.T) {
	inLanes(t, "room", func(t *testing.T, fast bool) {
		synctest.Test(t, func(t *testing.T) {
			var begun, answered, closed atomic.Int64
			web := serveRaw(t, func(c net.Conn, head string) {
				for ; head != ""; head = readHead(c) {
					if strings.HasPrefix(head, "POST ") { // and no look of the agent's own
						begun.Add(1)
						readBody(c, head)
						time.Sleep(time.Duration(rand.IntN(2)) * 100 * time.Millisecond)
					}
					if _, err := io.WriteString(c, ok); err != nil {
						return
					}
				}
			})
			table := clients.New(clients.Config{Most: 6, PerAddress: 1000})
			x := newPatient(t, fast, web)
			lane := x.b
			if !fast {
				lane = nil
			}
			x.front = newPipes()
			serveOn(t, table.Listen(x.front), x.b, lane, nil)
			var all sync.WaitGroup
			for range 24 {
				all.Go(func() {
					for range 10 {
						n, whole := posts(x)
						answered.Add(n)
						if !whole {
							closed.Add(1)
						}
					}
				})
			}
			all.Wait()
			if begun.Load() != answered.Load() {
				t.Errorf("%d requests were begun and %d answered", begun.Load(), answered.Load())
			}
			if s := table.Stats(); s.Closed == 0 || closed.Load() == 0 {
				t.Errorf("no room was made: %+v", s)
			}
		})
	})
}

// posts sends up to ten requests on a connection, with pauses, and says how many
// were answered, and whether all were. Times are coarse, so that requests come
// when room is made.
func posts(x *patient) (answered int64, whole bool) {
	y := &patient{T: x.T, front: x.front}
	y.dial()
	defer y.conn.Close()
	for range 10 {
		res, body, err := y.ask("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 4\r\n\r\nbody")
		if err != nil {
			return answered, false
		}
		if res.StatusCode != 200 || body.text != "fine" || body.err != nil {
			x.Errorf("%v, %q, %v", res, body.text, body.err)
		}
		answered++
		time.Sleep(time.Duration(rand.IntN(16)) * 100 * time.Millisecond)
	}
	return answered, true
}
