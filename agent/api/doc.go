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
//	GET /livez       200 "ok" while the process answers
//	GET /readyz      200 or 503; ?verbose lists the checks; JSON (Readiness) when asked for
//	GET /metrics     Prometheus
//	GET /v1/node     Node
//	GET /v1/members  {"items": [Member...], "next": ""}
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
// # Concurrency
//
// The handler calls the functions of its Config from any number of goroutines
// at once. A Client may be used by many goroutines.
//
// # Limits
//
// A client reads at most 8 MiB of an answer. It waits as long as its context
// does. The API is read-only.
package api
