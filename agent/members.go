package agent

import (
	"kecho/agent/api"
	"kecho/channel"
	"kecho/channel/registry"
)

// tellMembers adds to the news in what peers differ from known, and returns
// what is known now.
func (a *Agent) tellMembers(known map[channel.NodeID]registry.Peer, peers []registry.Peer) map[channel.NodeID]registry.Peer {
	now := make(map[channel.NodeID]registry.Peer, len(peers))
	for _, p := range peers {
		now[p.ID] = p
		if was := known[p.ID].Status; was != p.Status {
			a.news.Add(api.EventMember, api.MemberChange{Name: p.Name, ID: p.ID.String(), Status: string(p.Status), Was: string(was)})
		}
	}
	for id, p := range known {
		if _, still := now[id]; !still && p.Status != registry.Left { // forgotten: it failed long ago
			a.news.Add(api.EventMember, api.MemberChange{Name: p.Name, ID: id.String(), Status: string(registry.Left), Was: string(p.Status)})
		}
	}
	return now
}
