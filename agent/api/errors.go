package api

import (
	"context"
	"errors"
	"net/http"
)

// Code says what kind of failure it was. Codes are part of the API: they do
// not change between versions, texts do.
type Code string

// The codes.
const (
	Failed      Code = "failed"             // anything that has no code of its own
	Usage       Code = "usage"              // a flag, a parameter or the configuration is wrong, or a body is no JSON
	Invalid     Code = "invalid"            // a body is JSON, and not what is wanted: a field is unknown, missing or out of range
	TooLarge    Code = "too_large"          // a body is larger than the agent reads
	NotJSON     Code = "not_json"           // a body's Content-Type is not application/json
	Forbidden   Code = "forbidden"          // not permitted to who asks
	NotFound    Code = "not_found"          // there is nothing of that name
	NotAllowed  Code = "method_not_allowed" // the path is right, the method is not
	Unreachable Code = "unreachable"        // no agent answers; only clients say so
	Refused     Code = "refused"            // understood, and not permitted now
	NotReady    Code = "not_ready"          // the agent runs, and does not serve yet or any more
	TryLater    Code = "try_later"          // no room at the moment
	Timeout     Code = "timeout"            // it took longer than the caller waits
	NoOffer     Code = "no_offer"           // no node has room for it now; Error.Reasons
	Impossible  Code = "impossible"         // no node has it at all, whatever is released; Error.Reasons
	TooMany     Code = "too_many"           // as many leases or requests as a holder, or a node, may have
	IDReused    Code = "id_reused"          // the Idempotency-Key was used for another request
	LeaseEnded  Code = "lease_ended"        // the lease expired or was released
	NotHolder   Code = "not_holder"         // the lease is somebody else's
	Changed     Code = "changed"            // it is not what If-Match says any more
	NoAnswer    Code = "no_answer"          // the node whose lease it is does not answer now
	TooFast     Code = "too_fast"           // more events are published than a channel takes
	NotEvent    Code = "not_event"          // a body's Content-Type is of CloudEvents in a format that is not read, or it has a Content-Encoding
)

// outcomes is the one table of what a code means to HTTP and to a shell.
var outcomes = map[Code]struct{ status, exit int }{
	Failed:      {http.StatusInternalServerError, 1},
	Usage:       {http.StatusBadRequest, 2},
	Invalid:     {http.StatusUnprocessableEntity, 2},
	TooLarge:    {http.StatusRequestEntityTooLarge, 2},
	NotJSON:     {http.StatusUnsupportedMediaType, 2},
	Forbidden:   {http.StatusForbidden, 5},
	NotFound:    {http.StatusNotFound, 3},
	NotAllowed:  {http.StatusMethodNotAllowed, 1},
	Unreachable: {http.StatusBadGateway, 4},
	Refused:     {http.StatusConflict, 5},
	NotReady:    {http.StatusServiceUnavailable, 69},
	TryLater:    {http.StatusServiceUnavailable, 75},
	Timeout:     {http.StatusGatewayTimeout, 124},
	NoOffer:     {http.StatusServiceUnavailable, 75},
	Impossible:  {http.StatusConflict, 5},
	TooMany:     {http.StatusTooManyRequests, 75},
	IDReused:    {http.StatusUnprocessableEntity, 5},
	LeaseEnded:  {http.StatusGone, 3},
	NotHolder:   {http.StatusForbidden, 5},
	Changed:     {http.StatusPreconditionFailed, 5},
	NoAnswer:    {http.StatusServiceUnavailable, 75},
	TooFast:     {http.StatusTooManyRequests, 75},
	NotEvent:    {http.StatusUnsupportedMediaType, 2},
}

// Status is the HTTP status of an answer with this code; 500 for a code that
// is not in the table.
func (c Code) Status() int {
	if o, ok := outcomes[c]; ok {
		return o.status
	}
	return http.StatusInternalServerError
}

// header is what an answer with this code says besides: when to try again.
func (c Code) header() http.Header {
	if s := c.Status(); s == http.StatusServiceUnavailable || s == http.StatusTooManyRequests {
		return http.Header{"Retry-After": {"1"}}
	}
	return nil
}

// Error is a failure with its code.
type Error struct {
	Code Code
	// Detail is for people: what was wrong, where, and what to do.
	Detail string
	// Reasons are why each node gave nothing, where leases were asked for.
	Reasons []LeaseReason
	// Err is the cause, if there is one that callers may look for. It is not
	// in the text.
	Err error
}

func (e *Error) Error() string { return e.Detail }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// ExitCode is what the command exits with after err: 0 for nil, the table's
// for an Error, 124 for a deadline, and 1 for everything else.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	var coded *Error
	if errors.As(err, &coded) {
		if o, ok := outcomes[coded.Code]; ok {
			return o.exit
		}
		return 1
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return outcomes[Timeout].exit
	}
	return 1
}
