package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Gateway is what an agent that joins two clusters says of that.
type Gateway struct {
	// Clusters are the agent's own and the other one.
	Clusters [2]string `json:"clusters"`
	// Name and ID are what the agent's node in the other cluster is called.
	Name string `json:"name"`
	ID   string `json:"id"`
	// Gossip and Link are where that node listens, as host:port.
	Gossip string `json:"gossip"`
	Link   string `json:"link"`
	// Members is how many other nodes gossip there believes alive, Linked how many
	// the agent has a link with.
	Members int `json:"members"`
	Linked  int `json:"linked"`
	// Error is why it is no member there; "" when it is one, or is joining.
	Error string `json:"error"`
	// Flows are the shared channels, one for each direction.
	Flows []Flow `json:"flows"`
}

// Flow is what went over a gateway on one channel in one direction.
type Flow struct {
	Channel string `json:"channel"`
	From    string `json:"from" doc:"the cluster that the events come from"`
	To      string `json:"to" doc:"the cluster that they go to"`
	// Wanted is what is wanted there, and in clusters beyond it.
	Wanted    []Wanted `json:"wanted"`
	Forwarded uint64   `json:"forwarded" doc:"events, each to all who want it"`
	Answers   uint64   `json:"answers" doc:"that came back to requests"`
	// Dropped is how many were not, by the reason.
	Dropped map[string]uint64 `json:"dropped" doc:"by reason: unwanted, returned, looped, far, late, overrun, unsent"`
	Left    uint64            `json:"left" doc:"events that came by another way, or by another gateway between the same clusters"`
	Queued  int               `json:"queued" doc:"bulk events that wait for room in the links"`
	// QueuedBytes are theirs.
	QueuedBytes int `json:"queued_bytes"`
}

// Wanted is what is wanted at the end of one path.
type Wanted struct {
	Path  []string `json:"path" doc:"the clusters from the gateway's other side to where it is wanted"`
	Terms []Term   `json:"terms" doc:"an event that matches any of them is wanted"`
}

// Term says which events; what is empty stands for any.
type Term struct {
	Type   string `json:"type"`
	Source string `json:"source" doc:"the id of a node"`
}

func (e endpoints) addGateway(gateway func() *Gateway) {
	add(e, huma.Operation{
		Method: http.MethodGet, Path: "/v1/gateway", OperationID: "gateway", Summary: "What goes to another cluster and comes from it; 404 when the agent is no gateway",
	}, func(context.Context, *nothing) (*answer[Gateway], error) {
		g := gateway()
		if g == nil {
			return nil, &Error{Code: NotFound, Detail: "this agent is no gateway: it was started without --gateway-cluster"}
		}
		return &answer[Gateway]{*g}, nil
	})
}

// Gateway asks what goes to another cluster and comes from it. The error has the
// code NotFound when the agent is no gateway.
func (c *Client) Gateway(ctx context.Context) (Gateway, error) {
	var g Gateway
	err := c.get(ctx, "/v1/gateway", &g)
	return g, err
}
