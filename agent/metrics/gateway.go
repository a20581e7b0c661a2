package metrics

// Flow is what went over a gateway on one channel in one direction.
type Flow struct {
	Channel, From, To string
	Events            map[string]uint64 // by result
	Queued            int
}

// flowResults are the values of the label result of flowEventsDesc.
var flowResults = []string{"forwarded", "left", "unwanted", "returned", "looped", "far", "late", "overrun", "unsent"}

var (
	flowEventsDesc = desc("gateway_events_total", "Events of shared channels that somebody in the other cluster wanted, by what became of them.", "channel", "from", "to", "result")
	flowQueueDesc  = desc("gateway_queued", "Bulk events that wait for room in the links to the other cluster.", "channel", "from", "to")
)

func (x exposer) flows(all []Flow) {
	for _, f := range all { // at most two a channel, each once
		x.closed(flowEventsDesc, flowResults, f.Events, valid(f.Channel), valid(f.From), valid(f.To))
		x.gauge(flowQueueDesc, float64(f.Queued), valid(f.Channel), valid(f.From), valid(f.To))
	}
}
