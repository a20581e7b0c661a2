package agent

import (
	"fmt"

	"kecho/agent/api"
	"kecho/channel"
	"kecho/channel/link"
	"kecho/channel/registry"
)

// tellMembers adds to the news in what peers differ from known, and returns
// what is known now. The life of a node that ended comes before its next one,
// so that the last that is told of a name is how it is.
func (a *Agent) tellMembers(known map[channel.NodeID]registry.Peer, peers []registry.Peer) map[channel.NodeID]registry.Peer {
	now := make(map[channel.NodeID]registry.Peer, len(peers))
	for _, p := range peers {
		now[p.ID] = p
	}
	for id, p := range known {
		if _, still := now[id]; !still && p.Status != registry.Left { // it failed long ago, or was started again
			a.news.Add(api.EventMember, api.MemberChange{Name: p.Name, ID: id.String(), Status: string(registry.Left), Was: string(p.Status)})
		}
	}
	for _, p := range peers {
		if was := known[p.ID].Status; was != p.Status {
			a.news.Add(api.EventMember, api.MemberChange{Name: p.Name, ID: p.ID.String(), Status: string(p.Status), Was: string(was)})
		}
	}
	return now
}

// tellLink adds to the news that a link came up or went down.
func (a *Agent) tellLink(c link.Change) {
	change := api.LinkChange{Name: c.Name, ID: c.Peer.String(), Up: c.Cause == nil}
	if c.Cause != nil {
		change.Cause = fmt.Sprintf("%.128s", c.Cause.Error())
	}
	a.news.Add(api.EventLink, change)
}
