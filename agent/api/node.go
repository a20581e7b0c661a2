package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// State is what an agent is doing.
type State string

// The states, in the order in which an agent has them.
const (
	Starting State = "starting" // it does not listen everywhere yet
	Ready    State = "ready"    // it serves
	Draining State = "draining" // it takes nothing new, finishes what it has, and leaves
)

// Node is what an agent says about itself.
type Node struct {
	Name string `json:"name"`
	// ID is of this life of the node: 16 hexadecimal digits.
	ID        string    `json:"id"`
	Cluster   string    `json:"cluster"`
	Version   string    `json:"version"`
	Started   time.Time `json:"started"`
	State     State     `json:"state"`
	Addresses Addresses `json:"addresses"`
	Upstream  Upstream  `json:"upstream"`
	Limits    Limits    `json:"limits"`
	Load      Load      `json:"load"`
	// Connections are those of clients; their Most is 0 where the agent is part of
	// the web server, which has them itself.
	Connections Connections `json:"connections"`
	// Counters are totals since Started, by names that metrics documents, in
	// its spelling without the prefix and the suffix: "requests_local".
	Counters map[string]int64 `json:"counters"`
}

// Addresses are what an agent listens on, as host:port, with the ports that
// were really taken; "" where it does not.
type Addresses struct {
	HTTP   string `json:"http"`
	Admin  string `json:"admin"`
	Gossip string `json:"gossip"`
	Link   string `json:"link"`
	// Socket is the path of the API's Unix socket.
	Socket string `json:"socket"`
	// AgentCheck is where HAProxy's agent check is answered.
	AgentCheck string `json:"agent_check"`
}

// Upstream is the web server behind an agent.
type Upstream struct {
	// URL is where it is; "this program" where the agent is part of it.
	URL string `json:"url"`
	// Up is false while it is given no requests: it refused a connection, or
	// failed its health checks, and has not passed enough since.
	Up bool `json:"up"`
	// Failing is true while too many of its last answers were none, or 502, 503 or
	// 504: its requests go to peers first.
	Failing bool `json:"failing"`
	// Why says why it is not up.
	Why string `json:"why"`
	// Since is when Up or Failing changed last; null when they never did.
	Since *time.Time `json:"since"`
}

// Limits are how many requests an agent has at its upstream before others may
// go elsewhere (Soft), at most (Hard), and waiting at most (Queue).
type Limits struct {
	Soft  int `json:"soft"`
	Hard  int `json:"hard"`
	Queue int `json:"queue"`
}

// Connections are those that clients have open, and how many they may have, all
// and from one address.
type Connections struct {
	Open       int `json:"open"`
	Busy       int `json:"busy"` // a request is served on them
	Most       int `json:"most"`
	PerAddress int `json:"per_address"`
	// Limited is how often a limit was met since Started, by the reasons that
	// metrics documents.
	Limited map[string]int64 `json:"limited"`
}

// Load is how busy an agent and its machine are.
type Load struct {
	Running int `json:"running"`
	Queued  int `json:"queued"`
	// Load is what the peers are told: running and queued over the soft
	// limit; 1 is full.
	Load float64 `json:"load"`
	// CPU and Memory are shares from 0 to 1, of the machine or of the limits
	// of the agent's container, whichever is fuller; null when they cannot be
	// read, which is not the same as 0.
	CPU    *float64 `json:"cpu"`
	Memory *float64 `json:"memory"`
}

func (e endpoints) addNode(node func() Node) {
	add(e, huma.Operation{
		Method: http.MethodGet, Path: "/v1/node", OperationID: "node", Summary: "What the agent says about itself",
	}, func(context.Context, *nothing) (*answer[Node], error) {
		return &answer[Node]{node()}, nil
	})
}
