package api

import (
	"context"
	"net/http"

	"kecho/resmgr"
)

// Group is a node's part in the group that gives resources.
type Group struct {
	// Joined says that the node's resources are given. When it leaves, nothing
	// more is granted, and holders are told that their leases end; they keep them
	// until their time.
	Joined bool `json:"joined" doc:"whether the node's resources are given"`
}

type groupPut struct{ Body Group }

type groupIs struct{ Body Group }

// setJoined has the node join the group or leave it; twice is as once.
func (l leases) setJoined(_ context.Context, in *groupPut) (*groupIs, error) {
	if in.Body.Joined {
		l.manager.Join()
	} else {
		l.manager.Leave()
	}
	joined := true
	for _, s := range l.manager.Status() {
		joined = joined && s.Closed.Code != resmgr.CodeLeft
	}
	return &groupIs{Group{Joined: joined}}, nil
}

// SetJoined has the agent's node give its resources, or not any more.
func (c *Client) SetJoined(ctx context.Context, joined bool) error {
	var is Group
	return c.do(ctx, http.MethodPut, "/v1/group", Group{Joined: joined}, &is)
}
