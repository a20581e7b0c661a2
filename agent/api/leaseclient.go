package api

import (
	"context"
	"net/http"
	"net/url"
)

// RequestLease asks the cluster for resources and has them, or an *Error, of
// which NoOffer, Impossible and TooMany have every node's reason. It takes as
// long as the request may wait; when ctx ends first the request is taken back.
//
// Who counts how long a lease lasts counts Lease.Left from the answer, which was
// on its way, or the TTL from before a Renew, which errs on the safe side.
func (c *Client) RequestLease(ctx context.Context, r LeaseRequest) (LeaseGrant, error) {
	var g LeaseGrant
	err := c.send(ctx, call{method: http.MethodPost, path: "/v1/leases", header: leaseHeader(r), body: r, answer: &g})
	return g, err
}

func leaseHeader(r LeaseRequest) http.Header {
	if r.ID == "" {
		return nil
	}
	return http.Header{"Idempotency-Key": {r.ID}}
}

// Offers asks what the cluster could give to a request now. Nothing is set
// aside.
func (c *Client) Offers(ctx context.Context, r LeaseRequest) (LeaseOffers, error) {
	var o LeaseOffers
	err := c.do(ctx, http.MethodPost, "/v1/leases?dry_run=true", r, &o)
	return o, err
}

// Leases asks for the leases that the agent knows of: those that its node has
// given, and those that were granted or renewed through it.
func (c *Client) Leases(ctx context.Context) ([]Lease, error) {
	var list List[Lease]
	err := c.get(ctx, "/v1/leases", &list)
	return list.Items, err
}

// Lease asks for one of Leases.
func (c *Client) Lease(ctx context.Context, id string) (Lease, error) {
	var l Lease
	err := c.get(ctx, leaseURL(id), &l)
	return l, err
}

// Renew gives a lease its whole time again. Any agent of the cluster can be
// asked. After an error of code NoAnswer it is not known whether it was renewed;
// after LeaseEnded the holder must have stopped.
func (c *Client) Renew(ctx context.Context, id string, r LeaseRenewal) (Lease, error) {
	var l Lease
	err := c.do(ctx, http.MethodPut, leaseURL(id)+"/renewal", r, &l)
	return l, err
}

// Release ends a lease; to do it twice is no error for some minutes.
func (c *Client) Release(ctx context.Context, id, holder string) error {
	return c.do(ctx, http.MethodDelete, leaseURL(id)+"?holder="+url.QueryEscape(holder), nil, nil)
}

func leaseURL(id string) string { return "/v1/leases/" + url.PathEscape(id) }
