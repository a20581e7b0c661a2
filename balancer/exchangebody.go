package balancer

import (
	"errors"
	"io"
	"net/http"

	"kecho/channel"
)

// exchangeBody is a request's body as the web server reads it: it asks the
// owner for what did not come with the head, and fills in the trailers at its
// end.
type exchangeBody struct {
	*inflow
	trailer http.Header // announced names
	taken   func()      // called before each read
}

// exchangeBody has the request be taken by the first read, which its client does
// when it has a connection to the web server: until then the owner has sent
// nothing of the body and can still go elsewhere with it. Where its client waits
// for 100-continue that is when the web server asks for the body, or when h1 has
// waited long enough for that.
func (b *Balancer) exchangeBody(x *exchange) *exchangeBody {
	body := &exchangeBody{inflow: x.in, taken: func() { b.take(x) }}
	for _, name := range x.head.Trailer {
		if body.trailer == nil {
			body.trailer = make(http.Header)
		}
		body.trailer[http.CanonicalHeaderKey(name)] = nil
	}
	return body
}

// take asks the owner, once, for the body that did not come with the head.
func (b *Balancer) take(x *exchange) {
	if x.head.Fin {
		return
	}
	x.take.Do(func() {
		// If it fails the owner is out of reach, or x is over.
		_ = b.give(x.ctx, channel.Event{Type: typeTaken, Re: x.id, Body: packAmount(x.in.window)})
	})
}

// Read implements io.Reader.
func (t *exchangeBody) Read(p []byte) (int, error) {
	t.taken()
	n, err := t.inflow.Read(p)
	if errors.Is(err, io.EOF) {
		came := t.inflow.trailers()
		for name := range t.trailer {
			t.trailer[name] = came[name]
		}
	}
	return n, err
}
