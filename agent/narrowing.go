package agent

import (
	"kecho/agent/filtering"
	"kecho/channel"
)

// narrowing is where an operator's filters stand on the agent's own channels.
// They are beside the agent's own and see only what may be left out: on data
// offers and the choice of peers, never a grant, a claim, a cancel or an answer.
// It is called before there are channels, and what it gives when there are.
func (a *Agent) narrowing() map[string]filtering.Own {
	return map[string]filtering.Own{
		DataChannel: {
			Out: func(f channel.Filter) { a.balancer.SetPeers(f) },
			In:  func(f channel.Filter) { a.balancer.SetOffers(f) },
		},
		MonitoringChannel: {
			Out: func(f channel.Filter) { a.monitor.SetOut(f) },
			In:  func(f channel.Filter) { a.monitor.SetIn(f) },
		},
		ResourceChannel: {
			Why: "a manager that does not hear of a request, an end or a fence cannot keep leases safe; " +
				"to have a request answered by some nodes only, give it a selector",
		},
	}
}
