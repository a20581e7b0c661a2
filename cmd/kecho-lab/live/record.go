package live

import (
	"net/http"
	"time"

	"kecho/balancer/sim"
	"kecho/cmd/kecho/demo"
)

// Record is one request of a run. Times are in milliseconds; all but Service
// and Lateness are since it was due.
type Record struct {
	// Due is since the start of the load.
	Due float64 `json:"due_ms"`
	// Lateness is how long after that it was sent: the fault of the generator.
	Lateness float64 `json:"lateness_ms"`
	// Node is whose client sent it, from 0; Service how long it was to keep a
	// worker.
	Node    int     `json:"node"`
	Service float64 `json:"service_ms"`
	// Took is until the last byte of the answer had come, or it had failed.
	Took float64 `json:"took_ms"`
	// Status is the answer's; 0: there was none, for the reason Failure.
	Status  int    `json:"status"`
	Failure string `json:"failure,omitempty"`
}

func record(a sim.Arrival, e demo.Ended) Record {
	r := Record{
		Due: milliseconds(a.At), Node: a.Node, Service: milliseconds(a.Service),
		Took: milliseconds(e.Done.Sub(e.Due)), Status: e.Status, Failure: e.Failure,
	}
	if !e.Sent.IsZero() {
		r.Lateness = milliseconds(e.Sent.Sub(e.Due))
	}
	return r
}

// outcome of a request, for its client.
type outcome uint8

const (
	answered outcome = iota
	refused          // 503
	late             // not answered within the timeout
	failed           // all else
)

// answeredWell says whether the client got what it asked for, in time or not.
func (r *Record) answeredWell() bool {
	return r.Failure == "" && r.Status >= 200 && r.Status < 400
}

// outcome says what the request came to, for a client that waits for timeout.
func (r *Record) outcome(timeout time.Duration) outcome {
	switch {
	case r.Failure == "timeout" || r.Status == http.StatusGatewayTimeout:
		return late
	case r.Status == http.StatusServiceUnavailable:
		return refused
	case !r.answeredWell():
		return failed
	case r.Took > milliseconds(timeout):
		return late
	}
	return answered
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
