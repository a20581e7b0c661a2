package balancer

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// deadlines is where clients say how long they wait for an answer: the header
// that the operator names, and grpc-timeout.
//
// The operator's has whole milliseconds, as Envoy's
// x-envoy-expected-rq-timeout-ms, or a number with a unit: 250ms, 1.5s. A bare
// number with a fraction could be of seconds as well and is no deadline.
// grpc-timeout has up to 8 digits and a unit of H, M, S, m, u or n (gRPC over
// HTTP/2, "Timeout"). What is neither says nothing, as if it were not there: an
// unreadable deadline is no reason to refuse a request.
type deadlines []deadlineHeader

// deadlineHeader is one header, in canonical form, and how it is read.
type deadlineHeader struct {
	name string
	read func(value string) (time.Duration, bool)
}

const grpcTimeout = "Grpc-Timeout"

// newDeadlines is with the operator's header, "" for none.
func newDeadlines(header string) deadlines {
	all := deadlines{{grpcTimeout, readGRPC}}
	if header = http.CanonicalHeaderKey(header); header != "" && header != grpcTimeout {
		all = append(all, deadlineHeader{header, readTimeout})
	}
	return all
}

// maxPatience is the most that a client is taken to wait.
const maxPatience = 24 * time.Hour

// IsDeadlineHeader reports whether Config.DeadlineHeader can be name: none, or
// a field that goes from end to end and that the agent does not write itself.
func IsDeadlineHeader(name string) bool {
	if name == "" {
		return true
	}
	name = http.CanonicalHeaderKey(name)
	switch name {
	case "Host", "Via", "Content-Length", "X-Request-Id", "Expect", "Trailer":
		return false
	}
	return httpguts.ValidHeaderFieldName(name) && !hopByHop[name] && !forwardedField(name)
}

// left is how long the client waits by what h says, at the moment that h was
// written; false when it says nothing. It is 0 or below when that is over.
func (d deadlines) left(h http.Header) (least time.Duration, said bool) {
	for _, header := range d {
		for _, value := range h[header.name] {
			if t, ok := header.read(value); ok && (!said || t < least) {
				least, said = t, true
			}
		}
	}
	return least, said
}

// heeds says whether a field of that name, in any case, says how long a client
// waits.
func (d deadlines) heeds(name []byte) bool {
	for i := range d {
		if len(d[i].name) == len(name) && strings.EqualFold(d[i].name, string(name)) {
			return true
		}
	}
	return false
}

// rewrite has h say how much of the time in from is left, after so much of it
// has passed and with no more than most. What from does not say stays as it is
// in h.
func (d deadlines) rewrite(h, from http.Header, passed, most time.Duration) {
	for _, header := range d {
		var kept []string
		for _, value := range from[header.name] {
			if t, ok := header.read(value); ok {
				kept = append(kept, write(header.name, value, max(min(t-passed, most), time.Millisecond)))
			}
		}
		if kept != nil {
			h[header.name] = kept
		}
	}
}

// readTimeout reads a value of the operator's header.
func readTimeout(value string) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if ms, err := strconv.ParseInt(value, 10, 64); err == nil {
		most := int64(maxPatience / time.Millisecond)
		return time.Duration(min(max(ms, 0), most)) * time.Millisecond, true
	}
	if t, err := time.ParseDuration(value); err == nil {
		return min(max(t, 0), maxPatience), true
	}
	return 0, false
}

// grpcUnits of time, by their letters.
var grpcUnits = map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second,
	'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond}

// readGRPC reads a grpc-timeout.
func readGRPC(value string) (time.Duration, bool) {
	last := len(value) - 1
	if last < 1 || last > 8 {
		return 0, false
	}
	unit, known := grpcUnits[value[last]]
	n, err := strconv.ParseUint(value[:last], 10, 32)
	if !known || err != nil {
		return 0, false
	}
	return time.Duration(min(n, uint64(maxPatience/unit))) * unit, true
}

// write is a time as the value of a header, in the form of the value that it
// replaces.
func write(name, old string, left time.Duration) string {
	ms := strconv.FormatInt(left.Milliseconds(), 10)
	switch {
	case name == grpcTimeout:
		return ms + "m" // a day has 8 digits of it
	case strings.ContainsAny(old, "nuµmsh"):
		return ms + "ms"
	}
	return ms
}

// tellTimeLeft has the header of a request that says how long its client waits
// say how much of that is left.
func (b *Balancer) tellTimeLeft(j *job, header http.Header) {
	if !j.promised.IsZero() {
		b.deadlines.rewrite(header, j.r.Header, time.Since(j.start), time.Until(j.answerBy()))
	}
}

// tellGuestsTimeLeft is the same for a peer's request, which says what was left
// when it was sent here.
func (b *Balancer) tellGuestsTimeLeft(x *exchange) {
	most := maxPatience
	if !x.due.IsZero() {
		most = time.Until(x.due)
	}
	b.deadlines.rewrite(x.header, x.header, time.Since(x.came), most)
}
