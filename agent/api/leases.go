package api

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"kecho/resmgr"
)

// EventLease is the type of what /v1/events tells of leases: LeaseChange.
const EventLease = "lease"

// leases are the endpoints of an agent's resource manager.
type leases struct{ manager *resmgr.Manager }

// LeasePath is where one lease is, for the inputs of endpoints.
type LeasePath struct {
	ID string `path:"id" maxLength:"128" doc:"NODE:FENCE" example:"web1:17"`
}

// LeaseState is one lease as it was when its ETag was made.
type LeaseState struct {
	ETag string `header:"ETag"`
	Body Lease
}

func (e endpoints) addLeases(manager *resmgr.Manager) {
	l := leases{manager}
	schemas := e.huma.OpenAPI().Components.Schemas
	body := func(description string, t reflect.Type) *huma.Response {
		return &huma.Response{Description: description, Content: map[string]*huma.MediaType{
			"application/json": {Schema: schemas.Schema(t, true, "")},
		}}
	}
	add(e, huma.Operation{
		Method: http.MethodPost, Path: "/v1/leases", OperationID: "request-leases", Summary: "Ask the cluster for resources",
		Description: "Answers when it is granted or the wait is over. Who goes away takes the request with it.",
		Middlewares: huma.Middlewares{patiently}, DefaultStatus: http.StatusCreated,
		Responses: map[string]*huma.Response{
			"201": body("The leases, all or none.", reflect.TypeFor[LeaseGrant]()),
			"200": body("Of a dry run: what could be granted.", reflect.TypeFor[LeaseOffers]()),
		},
	}, l.post)
	add(e, huma.Operation{
		Method: http.MethodGet, Path: "/v1/leases", OperationID: "leases", Summary: "The leases that this node has given, and those that were granted or renewed through it",
	}, l.list)
	add(e, huma.Operation{
		Method: http.MethodGet, Path: "/v1/leases/{id}", OperationID: "lease", Summary: "One of them",
	}, l.get)
	add(e, huma.Operation{
		Method: http.MethodDelete, Path: "/v1/leases/{id}", OperationID: "release-lease", Summary: "End a lease",
	}, l.release)
	add(e, huma.Operation{
		Method: http.MethodPut, Path: "/v1/group", OperationID: "set-joined", Summary: "Have the node join the group that gives resources, or leave it",
	}, l.setJoined)
	for method, id := range map[string]string{http.MethodPut: "renew-lease", http.MethodPost: "renew-lease-by-post"} {
		add(e, huma.Operation{
			Method: method, Path: "/v1/leases/{id}/renewal", OperationID: id, Summary: "Give a lease its whole time again",
		}, l.renew)
	}
}

// patiently lets an answer be as late as a request may wait.
func patiently(c huma.Context, next func(huma.Context)) {
	_, w := humago.Unwrap(c)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(resmgr.MaxWait + time.Minute)) // a recorder of a test has none
	next(c)
}

type leasePost struct {
	Key    string `header:"Idempotency-Key" maxLength:"128" doc:"who asks again with it within 10 minutes has the same leases and no more"`
	DryRun bool   `query:"dry_run" doc:"say what could be granted, and set nothing aside"`
	Body   LeaseRequest
}

type leasePosted struct {
	Status   int
	Location string `header:"Location"`
	Body     any
}

func (l leases) post(ctx context.Context, in *leasePost) (*leasePosted, error) {
	in.Body.ID = in.Key
	r, err := in.Body.parse()
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return l.offers(ctx, r)
	}
	grant, err := l.manager.Request(ctx, r)
	if err != nil {
		return nil, leaseFailure(err)
	}
	out := &leasePosted{Status: http.StatusCreated, Body: LeaseGrant{Request: grant.Request, Leases: leasesOf(grant.Leases)}}
	if len(grant.Leases) == 1 {
		out.Location = leaseURL(grant.Leases[0].ID.String())
	}
	return out, nil
}

func (l leases) offers(ctx context.Context, r resmgr.Request) (*leasePosted, error) {
	found, reasons, err := l.manager.Offers(ctx, r)
	if err != nil {
		return nil, leaseFailure(err)
	}
	answer := LeaseOffers{Items: []LeaseOffer{}, Reasons: reasonsOf(reasons)}
	for _, o := range found {
		answer.Items = append(answer.Items, offerOf(o))
	}
	return &leasePosted{Status: http.StatusOK, Body: answer}, nil
}

type leaseQuery struct {
	Holder string `query:"holder" maxLength:"128" doc:"only this holder's"`
}

func (l leases) list(_ context.Context, in *leaseQuery) (*answer[List[Lease]], error) {
	all := append(l.manager.Held(), l.manager.Granted()...)
	slices.SortStableFunc(all, func(a, b resmgr.Lease) int { return a.ID.Compare(b.ID) })
	// Of one that is held and granted here, what its holder knows.
	all = slices.CompactFunc(all, func(a, b resmgr.Lease) bool { return a.ID == b.ID })
	all = slices.DeleteFunc(all, func(l resmgr.Lease) bool { return in.Holder != "" && l.Holder != in.Holder })
	return listOf(leasesOf(all)), nil
}

// find is a lease that this node knows of.
func (l leases) find(text string) (resmgr.Lease, error) {
	id, err := parseLease(text)
	if err != nil {
		return resmgr.Lease{}, err
	}
	lease, ok := l.manager.Lease(id)
	if !ok {
		return lease, &Error{Code: NotFound, Detail: fmt.Sprintf(
			"this node knows no lease %.150s: it is over, or was granted elsewhere to somebody elsewhere", id)}
	}
	return lease, nil
}

func parseLease(text string) (resmgr.LeaseID, error) {
	id, err := resmgr.ParseLeaseID(text)
	if err != nil {
		return id, &Error{Code: Invalid, Detail: "path.id: " + err.Error()}
	}
	return id, nil
}

func (l leases) get(_ context.Context, in *LeasePath) (*LeaseState, error) {
	lease, err := l.find(in.ID)
	return stateOf(lease), err
}

// tag is what changes when a lease is renewed.
func tag(l resmgr.Lease) string {
	return fmt.Sprintf(`"%d-%x"`, l.ID.Fence, l.Until.UnixNano())
}

func stateOf(l resmgr.Lease) *LeaseState { return &LeaseState{ETag: tag(l), Body: leaseOf(l)} }

type leaseRelease struct {
	LeasePath
	Holder string `query:"holder" required:"true" minLength:"1" maxLength:"128" doc:"who has it"`
	Match  string `header:"If-Match" maxLength:"256" doc:"only if it was not renewed since: the ETag of then"`
}

func (l leases) release(ctx context.Context, in *leaseRelease) (*nothing, error) {
	id, err := l.unchanged(in.ID, in.Match)
	if err != nil {
		return nil, err
	}
	return nil, leaseFailure(l.manager.Release(ctx, id, in.Holder))
}

// LeaseRenewal is who renews, and for how long.
type LeaseRenewal struct {
	Holder string `json:"holder" minLength:"1" maxLength:"128" doc:"who has it"`
	// TTL is as in LeaseRequest; a lease is never made shorter. Zero: as it is.
	TTL string `json:"ttl,omitempty" maxLength:"32" doc:"another time from now on: 1s to 1h; as it is unless given" example:"30s"`
}

type leaseRenew struct {
	LeasePath
	Match string `header:"If-Match" maxLength:"256" doc:"only if it was not renewed since: the ETag of then"`
	Body  LeaseRenewal
}

func (l leases) renew(ctx context.Context, in *leaseRenew) (*LeaseState, error) {
	ttl, err := parseTime(in.Body.TTL, resmgr.MinTTL, resmgr.MaxTTL)
	if err != nil {
		return nil, &Error{Code: Invalid, Detail: "body.ttl: " + err.Error()}
	}
	id, err := l.unchanged(in.ID, in.Match)
	if err != nil {
		return nil, err
	}
	lease, err := l.manager.Renew(ctx, id, in.Body.Holder, ttl)
	return stateOf(lease), leaseFailure(err)
}

// unchanged parses an id, and holds it to an If-Match: what this node knows of
// the lease is what counts.
func (l leases) unchanged(text, match string) (resmgr.LeaseID, error) {
	if match == "" {
		return parseLease(text)
	}
	lease, err := l.find(text)
	if err != nil {
		return lease.ID, err
	}
	if have := tag(lease); match != "*" && match != have {
		return lease.ID, &Error{Code: Changed, Detail: fmt.Sprintf("header.If-Match: lease %s is %s now, not %.100s", lease.ID, have, match)}
	}
	return lease.ID, nil
}
