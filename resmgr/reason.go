package resmgr

import (
	"errors"
	"fmt"
	"strings"
)

// Code says in one word why something was not done. Codes are stable: the API
// and the wire carry them.
type Code string

// The codes, with the errors that callers branch on beside them.
const (
	CodeInvalid     Code = "invalid"      // ErrInvalid: what was asked makes no sense
	CodeNoRoom      Code = "no_room"      // ErrNoOffer: the free quantity is too small now
	CodeTooLarge    Code = "too_large"    // ErrNoOffer: more than the whole capacity
	CodeUnknownKind Code = "unknown_kind" // ErrNoOffer: the manager has no such kind
	CodeTags        Code = "tags"         // ErrNoOffer: the selector leaves the manager out
	CodeQueued      Code = "queued"       // ErrNoOffer: others wait for the kind, who come first
	CodeLeft        Code = "left"         // ErrNoOffer: the manager is not in the group
	CodeStarting    Code = "starting"     // ErrNoOffer: it asks the others first what they know of it
	CodeBehind      Code = "behind"       // ErrNoOffer: its journal is older than its leases
	CodeJournal     Code = "journal"      // ErrNoOffer: it cannot write
	CodeSilent      Code = "silent"       // ErrNoOffer: no answer came
	CodeTaken       Code = "hold_ended"   // ErrNoOffer: the offer's time was over before it was accepted
	CodeTooMany     Code = "too_many"     // ErrTooMany: a bound is reached
	CodeReused      Code = "id_reused"    // ErrReused: the id stands for another request
	CodeEnded       Code = "ended"        // ErrEnded: the lease was there and is over
	CodeNotFound    Code = "not_found"    // ErrNotFound: no such lease was ever there, or is remembered
	CodeNotHolder   Code = "not_holder"   // ErrNotHolder: somebody else has the lease
	CodeGone        Code = "gone"         // ErrUnreachable: the node left, or its link is down
)

// Errors that callers branch on. What a manager says comes as a *Refusal, which
// is one of them for errors.Is.
var (
	// ErrInvalid: a part of the request is wrong; a *FieldError says which.
	ErrInvalid = errors.New("the request makes no sense")
	// ErrNoOffer: nobody could give it within the time; a *NoOfferError has
	// every manager's reason.
	ErrNoOffer = errors.New("no manager can give it")
	// ErrTooMany: the holder, or this node, has as many leases and requests as
	// it may have.
	ErrTooMany = errors.New("too many")
	// ErrReused: the request's id was used for a different request.
	ErrReused = errors.New("the id was used for another request")
	// ErrEnded: the lease ended: it expired or was released.
	ErrEnded = errors.New("the lease has ended")
	// ErrNotFound: nobody knows such a lease.
	ErrNotFound = errors.New("no such lease")
	// ErrNotHolder: the lease is another holder's.
	ErrNotHolder = errors.New("another holder has the lease")
	// ErrUnreachable: the manager that granted the lease does not answer or is
	// not there. The lease lasts until its time.
	ErrUnreachable = errors.New("the manager of the lease does not answer")
)

func (c Code) err() error {
	switch c {
	case CodeInvalid:
		return ErrInvalid
	case CodeTooMany:
		return ErrTooMany
	case CodeReused:
		return ErrReused
	case CodeEnded:
		return ErrEnded
	case CodeNotFound:
		return ErrNotFound
	case CodeNotHolder:
		return ErrNotHolder
	case CodeGone:
		return ErrUnreachable
	}
	return ErrNoOffer
}

// Reason is why one manager does not give something, with the figures.
type Reason struct {
	Manager  string
	Code     Code
	Kind     Kind     // that is short, if one is
	Need     Quantity // of it
	Free     Quantity
	Capacity Quantity
	Ahead    int    // requests that wait before this one
	Detail   string // in words, for the codes without figures; "" is possible
}

// maxDetail bounds what a peer's reason can put into logs and answers, in bytes.
const maxDetail = MaxID

// String is one line without the manager's name.
func (r Reason) String() string {
	switch r.Code {
	case CodeNoRoom:
		return fmt.Sprintf("%s: %s asked, %s of %s free", r.Kind, r.Kind.Format(r.Need), r.Kind.Format(r.Free), r.Kind.Format(r.Capacity))
	case CodeTooLarge:
		return fmt.Sprintf("%s: %s asked, it has %s in all", r.Kind, r.Kind.Format(r.Need), r.Kind.Format(r.Capacity))
	case CodeUnknownKind:
		return fmt.Sprintf("%s: it has none", r.Kind)
	case CodeQueued:
		return fmt.Sprintf("%s: %d requests wait for it before this one", r.Kind, r.Ahead)
	}
	if r.Detail != "" {
		return fmt.Sprintf("%.*s", maxDetail, r.Detail)
	}
	return string(r.Code)
}

// Refusal is one manager's no to something about one request or lease.
type Refusal struct{ Reason }

// Error names the manager.
func (e *Refusal) Error() string {
	if e.Manager == "" {
		return e.Reason.String()
	}
	return e.Manager + ": " + e.Reason.String()
}

// Unwrap is the error of the code.
func (e *Refusal) Unwrap() error { return e.Code.err() }

// NoOfferError says why a request was not granted: how many nodes were wanted,
// how many offered at the best moment, and the reason of every manager that did
// not. It is ErrNoOffer, and ErrTooMany, ErrReused or ErrEnded if that is a
// manager's reason.
type NoOfferError struct {
	Wanted  int
	Offered int
	Reasons []Reason // by manager
}

// Error is one line.
func (e *NoOfferError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d nodes offered", e.Offered, e.Wanted)
	if len(e.Reasons) == 0 && e.Offered == 0 {
		b.WriteString("; nobody answered")
	}
	for i, r := range e.Reasons {
		if i == 8 {
			fmt.Fprintf(&b, "; and %d more", len(e.Reasons)-i)
			break
		}
		fmt.Fprintf(&b, "; %s: %s", r.Manager, r)
	}
	return b.String()
}

// Unwrap is ErrNoOffer and what else the reasons are.
func (e *NoOfferError) Unwrap() []error {
	all := []error{ErrNoOffer}
	for _, r := range e.Reasons {
		if r.Code == CodeTooMany || r.Code == CodeReused || r.Code == CodeEnded {
			all = append(all, r.Code.err())
		}
	}
	return all
}
