package balancer

import (
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"sync"
)

// maxEarly is how many informational answers may come before the final one.
const maxEarly = 16

// early passes informational answers on. net/http calls pass on a goroutine of
// its own, which may outlive the round trip.
type early struct {
	mu sync.Mutex
	w  http.ResponseWriter // under mu until stop
	n  int
	// mute: the client cannot hear them: it speaks HTTP/1.0, or waits for
	// 100-continue, which net/http writes without regard for others.
	mute bool
}

func (e *early) pass(status int, header textproto.MIMEHeader) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.n++; e.n > maxEarly {
		return fmt.Errorf("%w: more than %d informational answers", errBadAnswer, maxEarly)
	}
	// 100 is written by net/http when the web server begins to read the body.
	if e.w == nil || e.mute || status == http.StatusContinue {
		return nil
	}
	inbound(http.Header(header))
	ours := e.w.Header()
	kept := maps.Clone(ours)
	clear(ours)
	maps.Copy(ours, header)
	e.w.WriteHeader(status)
	clear(ours)
	maps.Copy(ours, kept)
	return nil
}

// stop returns when no pass is running; later ones do nothing.
func (e *early) stop() {
	e.mu.Lock()
	e.w = nil
	e.mu.Unlock()
}
