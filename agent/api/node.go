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
	URL string `json:"url"`
	// Up is false from a refused connection until one succeeds again.
	Up bool `json:"up"`
}

// Limits are how many requests an agent has at its upstream before others may
// go elsewhere (Soft), at most (Hard), and waiting at most (Queue).
type Limits struct {
	Soft  int `json:"soft"`
	Hard  int `json:"hard"`
	Queue int `json:"queue"`
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
