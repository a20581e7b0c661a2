// Package filtering is the filters that operators put on an agent's channels,
// as the API has them.
//
// # Vocabulary
//
// A Table is api.Filters over a dynamic.Runtime with every kind that there is:
// stock, expression and wasm. Package filters/dynamic has the other words.
//
// # How it is used
//
//	table := filtering.New(filtering.Config{Channels: node.Channels, Own: own})
//	made, err := table.Put("work", "out", api.NewFilter{Kind: "stock", Source: "fresh | least-loaded"})
//
// The filters on the agent's own channels (data, monitoring, resources) keep
// requests and leases safe, and are not the operator's to replace: Config.Own says
// where a filter may stand beside them, and what it is asked about there. A filter
// goes with its channel: one that was closed and opened again has none.
//
// # Concurrency
//
// All methods may be called by any goroutine. Nothing runs of its own.
//
// # Limits
//
// Two filters a channel. What one costs is bounded by its kind. What is
// compiled is compiled while the caller waits.
package filtering
