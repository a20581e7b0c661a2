// Package api is how programs and people ask a running agent: the HTTP API on
// its admin address, and the client that the kecho command uses.
//
// # Vocabulary
//
// A Node is what an agent says about itself, a Member what it knows of a node
// of its cluster, itself included. A Check is one thing that an agent needs to
// be ready. An Error has a Code, and one table says which HTTP status and which
// exit code of the command belong to it.
//
//	GET /livez         200 "ok" while the process answers
//	GET /readyz        200 or 503; ?verbose lists the checks; JSON (Readiness) when asked for
//	GET /metrics       Prometheus
//	GET /openapi.json  all of /v1, for programs that make clients and forms
//	GET /v1/node       Node
//	GET /v1/members    {"items": [Member...], "next": ""}
//	GET /v1/gauges     {"items": [Gauge...], "next": ""}, with their thresholds
//	GET, PUT /v1/gauges/{name}                      Gauge; GaugeValue
//	GET, POST /v1/gauges/{name}/thresholds          Threshold; NewThreshold
//	DELETE /v1/gauges/{name}/thresholds/{id}
//	GET, POST /v1/leases           Lease; LeaseRequest, ?dry_run=true; Idempotency-Key
//	GET, DELETE /v1/leases/{id}    Lease, with its ETag; ?holder=
//	PUT, POST /v1/leases/{id}/renewal   LeaseRenewal; If-Match
//	PUT  /v1/group    Group: the node joins the group that gives resources, or leaves it
//	GET /v1/channels   {"items": [Channel...], "next": ""}
//	GET, PUT, DELETE /v1/channels/{channel}    Channel; open, ?idle=, ?type=, and close
//	POST /v1/channels/{channel}/events         CloudEvents, one or a batch; Published
//	GET /v1/channels/{channel}/events          ChannelEvents, ?after= ?wait= ?type= ?source=; as a stream
//	                   by Accept: text/event-stream (Last-Event-ID), application/x-ndjson
//	POST /v1/channels/{channel}/requests       ChannelAnswers, ?replies= ?gap= ?timeout=; as a stream by Accept
//	GET /v1/channels/{channel}/stream          a websocket of CloudEvents, both ways; ?after= ?type= ?source= ?receive=
//	GET /v1/filters                Filter, with what each did; POST /v1/filters/test runs one on nothing but what is sent
//	GET /v1/filters/stock          StockFilter: those that are known by name
//	GET, PUT, DELETE /v1/channels/{channel}/filters/{in|out}    Filter, with its ETag; NewFilter; If-Match, If-None-Match
//	GET /v1/events     Events, ?after= ?wait= ?type=threshold,member,lease; as a stream by Accept
//
// A Gauge is a value that rises and falls, a Threshold a condition on one; package
// gauges has what they do, package monitor how a condition is written.
//
// On a websocket each message is one CloudEvent as JSON. What a client sends is
// published and answered, in its order, by an event of type kecho.published
// (PublishedEvent) or kecho.refused (Refusal); kecho.gap tells what it missed
// (Gap). One that publishes faster than the channel takes is read from more
// slowly. It is closed with 1001 when the channel closes or the agent stops,
// 1003 for a message that is no text, 1009 for one that is too large.
//
// A Channel is an event channel that an application has open here; package
// channels has what becomes of a CloudEvent on one.
//
// A Lease is resources of a node that a holder has alone; package resmgr has what
// that means. Where nothing fits, the problem's "reasons" has each node's, with
// figures. A client that goes away takes its waiting request with it. If-Match is
// held against what the agent that is asked knows of the lease, which is what
// was renewed through it.
//
// Errors are problem documents (RFC 9457) with the member "code", which is
// stable; "detail" is for people. Times are RFC 3339; what is in milliseconds
// ends in _ms, and sizes are bytes.
//
// # How it is used
//
//	http.Serve(listener, api.NewHandler(api.Config{Node: agent.Node, ...}))
//
//	client, err := api.New("http://127.0.0.1:7940") // or unix:///run/kecho.sock
//	node, err := client.Node(ctx)
//
// # How an endpoint is added
//
// What is below /v1 is a file a noun: member.go has the type that is shown,
// with its JSON names, the function of Config that it comes from, and a method
// of endpoints that NewHandler calls. It adds each path and method with add:
//
//	add(e, huma.Operation{Method: http.MethodPut, Path: "/v1/things/{name}", ...},
//		func(ctx context.Context, in *thingInput) (*answer[Thing], error) { ... })
//
// huma checks the request against the Go type of in before the function is
// called, by the tags of its fields (minimum, maxLength, enum, pattern): a
// field that is unknown, missing or out of range is answered with 422 and the
// code "invalid", and named. The function returns an *Error for what it finds
// itself, and nothing else writes problems. A client's method is beside the
// others in client.go, and handler_test.go holds the JSON names.
//
// # Concurrency
//
// The handler calls the functions of its Config from any number of goroutines
// at once. A Client may be used by many goroutines.
//
// # Limits
//
// A body has at most 64 KiB (413), 12 MiB where it has a filter, which may be a
// module, and 16 levels (422), and is read before
// anything is done with it. What a browser sends for a page of another site, or
// to a name that may have been another's a moment ago, is refused where it would
// write, by a websocket too (403). 256 readers follow channels at most, 64
// readers follow the events at most (503). Nothing is kept for any of them but a
// page of 64 KiB: one that is slower than what is kept for all is told of the gap, one that takes
// nothing for 10 seconds is cut off, and a websocket that answers no ping as
// well. A client reads at most 8 MiB of an answer. It waits as long as its
// context does.
package api
