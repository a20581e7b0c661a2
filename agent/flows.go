package agent

import (
	"kecho/agent/metrics"
	"kecho/channel"
	"kecho/channel/link"
)

// channelFlows is what went over each channel, for the metrics.
func (a *Agent) channelFlows() []metrics.Channel {
	var all []metrics.Channel
	for _, c := range a.channels.List() {
		n := c.Stats
		flow := metrics.Channel{
			Name: c.Name, Submitted: n.Submitted, Arrived: n.Received, BytesOut: n.BytesOut, BytesIn: n.BytesIn,
			Drops: map[string]uint64{
				"conflated": n.Conflated, "filtered": n.Filtered, "late": n.Late, "no_sink": n.NoSink,
				"overrun": n.Overrun, "suspended": n.Suspended, "repeated": n.Repeated, "returned": n.Returned, "unasked": n.Unasked, "unsent": n.Unsent,
				"too_fast": c.Refused,
			},
			Sinks: len(c.Sinks), Readers: c.Readers,
			Queued: n.Queued, QueuedBytes: n.QueuedBytes, Delivered: timingOf(n.Waited),
			In:  metrics.Filter{Runs: n.In.Runs, Timed: timingOf(n.In.Sampled)},
			Out: metrics.Filter{Runs: n.Out.Runs, Timed: timingOf(n.Out.Sampled)},
		}
		all = append(all, flow)
	}
	for _, f := range a.filters.Filters() {
		for i := range all {
			if all[i].Name != f.Channel {
				continue
			}
			at := &all[i].In
			if f.Direction == "out" {
				at = &all[i].Out
			}
			at.Failed, at.Rested = f.Stats.Failed, f.Stats.Skipped
		}
	}
	return all
}

func timingOf(t channel.Timing) metrics.Timing {
	return metrics.Timing{Count: t.Count, Total: t.Total}
}

// linkFlows is what went over each link, at all priorities together.
func (a *Agent) linkFlows() []metrics.Link {
	var all []metrics.Link
	for _, s := range a.links.Stats() {
		flow := metrics.Link{Peer: s.Name, Drops: map[string]uint64{"refused": 0, "late": 0}}
		if !s.Since.IsZero() {
			flow.RTT = s.RTT
		}
		for _, f := range []link.Flow{s.Urgent, s.Normal, s.Bulk} {
			flow.FramesOut += f.FramesOut
			flow.FramesIn += f.FramesIn
			flow.BytesOut += f.BytesOut
			flow.BytesIn += f.BytesIn
			flow.Drops["refused"] += f.Refused
			flow.Drops["late"] += f.Late
			flow.Queued += f.Queued
			flow.QueuedBytes += f.QueuedBytes
		}
		all = append(all, flow)
	}
	return all
}
