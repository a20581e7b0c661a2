package resmgr

import (
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of a request (docs/design.md, "Limits").
const (
	MinTTL     = time.Second
	MaxTTL     = time.Hour
	DefaultTTL = 30 * time.Second
	MaxWait    = time.Hour
	MaxNodes   = 64  // that one request can ask for
	MaxID      = 128 // bytes of a request's id, of a holder's name
)

// Request asks the cluster for resources.
type Request struct {
	// ID is the caller's name for this request (an Idempotency-Key): who asks
	// again with the same ID and holder within 10 minutes gets the same answer
	// and not a second lease. Zero: the manager draws one.
	ID string
	// Holder is who will have the leases; only the holder renews and releases.
	// It is a name and no secret.
	Holder string
	// Needs is what each node must give.
	Needs Amounts
	// Nodes is how many different nodes must give it, all or none. Zero: 1.
	Nodes int
	// Selector says by tags which managers may give it. Zero: all.
	Selector Selector
	// Criteria says which offers are best. Zero: First.
	Criteria Criteria
	// TTL is how long a lease lasts without a renewal. Zero: DefaultTTL.
	TTL time.Duration
	// Wait is how long the request stands in the queues where there is no
	// room now. Zero: not at all.
	Wait time.Duration
}

// Criteria says which of several offers are taken.
type Criteria uint8

const (
	// First takes the first that come; of this node, if it has room.
	First Criteria = iota
	// Nearest takes the shortest round trip.
	Nearest
	// Spread takes those with the largest share free, by the scarcest of the
	// kinds that are asked for.
	Spread
	// Pack takes those with the smallest share free.
	Pack
	// Least takes the lowest load of the node's web server.
	Least
	criteria // their number
)

var criteriaNames = [criteria]string{"first", "nearest", "spread", "pack", "least"}

// String is the word that ParseCriteria reads.
func (c Criteria) String() string {
	if c < criteria {
		return criteriaNames[c]
	}
	return fmt.Sprintf("Criteria(%d)", uint8(c))
}

// ParseCriteria reads first, nearest, spread, pack or least; an empty text is
// First.
func ParseCriteria(text string) (Criteria, error) {
	if text == "" {
		return First, nil
	}
	for c := range criteria {
		if text == criteriaNames[c] {
			return c, nil
		}
	}
	return 0, fmt.Errorf("criteria %.40q: want first, nearest, spread, pack or least", text)
}

// FieldError says which part of a request is wrong. Its Code is CodeInvalid.
type FieldError struct {
	Field  string // "needs", "ttl", ...: as the API and the CLI call it
	Reason string
}

// Error is "ttl: ...".
func (e *FieldError) Error() string { return e.Field + ": " + e.Reason }

// Unwrap makes it an ErrInvalid.
func (e *FieldError) Unwrap() error { return ErrInvalid }

func wrong(field, format string, args ...any) error {
	return &FieldError{field, fmt.Sprintf(format, args...)}
}

// Check says what is wrong with r, as a *FieldError, of a request whose zero
// fields have their defaults.
func (r Request) Check() error {
	if err := checkText("id", r.ID, 0); err != nil {
		return err
	}
	if err := checkText("holder", r.Holder, 1); err != nil {
		return err
	}
	if err := r.Needs.Check(); err != nil {
		return wrong("needs", "%v", err)
	}
	switch {
	case r.Nodes < 0 || r.Nodes > MaxNodes:
		return wrong("nodes", "%d: want 1 to %d", r.Nodes, MaxNodes)
	case r.Criteria >= criteria:
		return wrong("criteria", "%d is none", uint8(r.Criteria))
	case r.Wait < 0 || r.Wait > MaxWait:
		return wrong("wait", "%v: want 0s to %v", r.Wait, MaxWait)
	}
	if r.TTL == 0 {
		return nil
	}
	return checkTTL(r.TTL)
}

func checkTTL(ttl time.Duration) error {
	if ttl < MinTTL || ttl > MaxTTL {
		return wrong("ttl", "%v: want %v to %v", ttl, MinTTL, MaxTTL)
	}
	return nil
}

// checkText refuses what nobody could read in a table or a log line.
func checkText(field, text string, least int) error {
	if len(text) < least || len(text) > MaxID {
		return wrong(field, "%d bytes: want %d to %d", len(text), least, MaxID)
	}
	if !utf8.ValidString(text) {
		return wrong(field, "it is not UTF-8")
	}
	for _, c := range text {
		if !unicode.IsPrint(c) {
			return wrong(field, "%q is not printable", c)
		}
	}
	return nil
}

// withDefaults is r with its zero fields filled in, but ID.
func (r Request) withDefaults() Request {
	r.Nodes = max(r.Nodes, 1)
	if r.TTL == 0 {
		r.TTL = DefaultTTL
	}
	return r
}
