package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Member is a node of the cluster as one agent knows it.
type Member struct {
	Name string `json:"name"`
	ID   string `json:"id"`
	// Self marks the agent that answers.
	Self bool `json:"self"`
	// Status is what gossip believes: "alive", "leaving", "left" or "failed".
	Status string `json:"status"`
	// Address is where its gossip is, as host:port.
	Address string `json:"address"`
	// Link is the direct connection to it; null for the agent itself.
	Link *Link `json:"link"`
	// Load is what it last reported, 1 is full; null before the first report.
	Load *float64 `json:"load"`
	// Capacity is its soft limit; 0 before the first report.
	Capacity int  `json:"capacity"`
	Draining bool `json:"draining"`
	// Heard is how many milliseconds ago anything came from it; null for the
	// agent itself and for a member that was never heard.
	Heard *float64 `json:"heard_ms"`
}

// Link is the direct connection between two agents.
type Link struct {
	Up bool `json:"up"`
	// RTT is the round trip of its last ping in milliseconds; 0 before it.
	RTT float64 `json:"rtt_ms"`
	// Since is when it came up, or went down; null when it was never up.
	Since *time.Time `json:"since"`
	// LastError is why it is down or was; "" when it never failed.
	LastError string `json:"last_error"`
	// Urgent, Normal and Bulk are what went over it at each priority, since the
	// peer is known.
	Urgent LinkFlow `json:"urgent"`
	Normal LinkFlow `json:"normal"`
	Bulk   LinkFlow `json:"bulk"`
}

// LinkFlow is what went over a link at one priority. Bytes are those of frames.
type LinkFlow struct {
	FramesOut uint64 `json:"frames_out"`
	BytesOut  uint64 `json:"bytes_out"`
	FramesIn  uint64 `json:"frames_in"`
	BytesIn   uint64 `json:"bytes_in"`
	// Refused are frames that the full queue did not take, Late those that it
	// took and dropped when their time was up.
	Refused uint64 `json:"refused"`
	Late    uint64 `json:"late"`
	// Queued and QueuedBytes wait now.
	Queued      int `json:"queued"`
	QueuedBytes int `json:"queued_bytes"`
}

// List is a page of things. Next is empty: everything fits one page.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

func (e endpoints) addMembers(members func() []Member) {
	add(e, huma.Operation{
		Method: http.MethodGet, Path: "/v1/members", OperationID: "members", Summary: "The nodes that the agent knows, itself included",
	}, func(context.Context, *nothing) (*answer[List[Member]], error) {
		return listOf(members()), nil
	})
}
