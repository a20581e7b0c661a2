package api

import (
	"errors"

	"kecho/resmgr"
)

// leaseCodes are the codes of what a manager says no with, the first that err
// is.
var leaseCodes = []struct {
	err  error
	code Code
}{
	{resmgr.ErrInvalid, Invalid},
	{resmgr.ErrReused, IDReused},
	{resmgr.ErrTooMany, TooMany},
	{resmgr.ErrEnded, LeaseEnded},
	{resmgr.ErrNoOffer, NoOffer},
	{resmgr.ErrNotFound, NotFound},
	{resmgr.ErrNotHolder, NotHolder},
	{resmgr.ErrUnreachable, NoAnswer},
	{resmgr.ErrStopped, NotReady},
}

// leaseFailure is err with its code, and each node's reason.
func leaseFailure(err error) error {
	if err == nil {
		return nil
	}
	failed := &Error{Code: Failed, Detail: err.Error(), Err: err}
	for _, c := range leaseCodes {
		if errors.Is(err, c.err) {
			failed.Code = c.code
			break
		}
	}
	var field *resmgr.FieldError
	if errors.As(err, &field) {
		failed.Detail = "body." + field.Error()
	}
	var none *resmgr.NoOfferError
	if errors.As(err, &none) {
		failed.Reasons = reasonsOf(none.Reasons)
		if failed.Code == NoOffer && never(none) {
			failed.Code = Impossible
		}
	}
	return failed
}

// never reports whether time alone changes none of the reasons.
func never(e *resmgr.NoOfferError) bool {
	return e.Offered == 0 && allLast(reasonsOf(e.Reasons))
}

// Never reports whether time alone brings no offer: no node has so much at all.
func (o LeaseOffers) Never() bool { return len(o.Items) == 0 && allLast(o.Reasons) }

func allLast(reasons []LeaseReason) bool {
	for _, r := range reasons {
		switch resmgr.Code(r.Code) {
		case resmgr.CodeTooLarge, resmgr.CodeUnknownKind, resmgr.CodeTags, resmgr.CodeInvalid:
		default:
			return false
		}
	}
	return len(reasons) > 0
}
