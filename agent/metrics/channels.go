package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Channel is what went over one event channel.
type Channel struct {
	Name               string
	Submitted, Arrived uint64 // events
	BytesOut, BytesIn  uint64
	Drops              map[string]uint64 // by reason
	Sinks              int               // other nodes that have it open
	Readers            int               // that follow it over the API
	Queued             int               // events that wait for handlers
	QueuedBytes        int
	Delivered          Timing // from arrival to handler
	In, Out            Filter
}

// Filter is what the filters of a channel cost in one direction.
type Filter struct {
	Runs   uint64
	Timed  Timing // of some of the runs
	Failed uint64 // of the filter that an operator has put there, if any
	Rested uint64 // events that it let be while it rested
}

// Timing is how often something was timed, and how long it took in all.
type Timing struct {
	Count uint64
	Total time.Duration
}

// Link is what went over the direct connection to one peer.
type Link struct {
	Peer                string
	RTT                 time.Duration // 0: there is no link now
	FramesOut, FramesIn uint64
	BytesOut, BytesIn   uint64
	Drops               map[string]uint64 // by reason
	Queued, QueuedBytes int
}

var (
	eventsDesc       = desc("channel_events_total", "Events submitted to (out) and arrived on (in) a channel.", "channel", "direction")
	bytesDesc        = desc("channel_bytes_total", "Bytes of the frames of those events.", "channel", "direction")
	dropsDesc        = desc("channel_drops_total", "Events of a channel that went nowhere, by the reason.", "channel", "reason")
	sinksDesc        = desc("channel_sinks", "Other nodes that have a channel open.", "channel")
	readersDesc      = desc("channel_readers", "Readers that follow a channel over this node's API.", "channel")
	eventsQueuedDesc = desc("channel_queued_events", "Events that wait for handlers on this node.", "channel")
	bytesQueuedDesc  = desc("channel_queued_bytes", "Bytes of the events that wait for handlers on this node.", "channel")
	deliveryDesc     = desc("channel_delivery_seconds", "Time from the arrival of an event on this node to the call of its handler, where there is a queue between.", "channel")
	runsDesc         = desc("filter_runs_total", "Runs of a channel's filters, of the agent and of operators.", "channel", "direction")
	runDesc          = desc("filter_run_seconds", "Time of a run, of the first and every 64th.", "channel", "direction")
	filterFailsDesc  = desc("filter_failures_total", "Runs of the filter that an operator has put there which failed: the fallback decided.", "channel", "direction")
	filterRestDesc   = desc("filter_rests_total", "Events that the fallback decided about while that filter rested after failures.", "channel", "direction")

	linkFramesDesc      = desc("link_frames_total", "Frames that went to (out) and came from (in) a peer.", "peer", "direction")
	linkBytesDesc       = desc("link_bytes_total", "Bytes of those frames.", "peer", "direction")
	linkDropsDesc       = desc("link_drops_total", "Frames to a peer that were not sent: refused by the full queue, late in it.", "peer", "reason")
	linkQueuedDesc      = desc("link_queued_frames", "Frames that wait for a link.", "peer")
	linkQueuedBytesDesc = desc("link_queued_bytes", "Bytes of the frames that wait for a link.", "peer")
	linkRTTDesc         = desc("link_rtt_seconds", "Round trip of the pings of a link that is up.", "peer")
)

// Why a frame was not sent (link.Flow).
var linkDrops = []string{"refused", "late"}

const maxChannels = 64

// channelDescs are what channels, filters and links show.
func channelDescs() []*prometheus.Desc {
	return []*prometheus.Desc{
		eventsDesc, bytesDesc, dropsDesc, sinksDesc, readersDesc, eventsQueuedDesc, bytesQueuedDesc, deliveryDesc,
		runsDesc, runDesc, filterFailsDesc, filterRestDesc,
		linkFramesDesc, linkBytesDesc, linkDropsDesc, linkQueuedDesc, linkQueuedBytesDesc, linkRTTDesc,
	}
}

func (x exposer) channels(channels []Channel) {
	for name, c := range distinct(channels, maxChannels, func(c Channel) string { return c.Name }) {
		x.counter(eventsDesc, c.Submitted, name, "out")
		x.counter(eventsDesc, c.Arrived, name, "in")
		x.counter(bytesDesc, c.BytesOut, name, "out")
		x.counter(bytesDesc, c.BytesIn, name, "in")
		x.closed(dropsDesc, dropReasons, c.Drops, name)
		x.gauge(sinksDesc, float64(c.Sinks), name)
		x.gauge(readersDesc, float64(c.Readers), name)
		x.gauge(eventsQueuedDesc, float64(c.Queued), name)
		x.gauge(bytesQueuedDesc, float64(c.QueuedBytes), name)
		x.timing(deliveryDesc, c.Delivered, name)
		x.filter(c.In, name, "in")
		x.filter(c.Out, name, "out")
	}
}

func (x exposer) filter(f Filter, labels ...string) {
	x.counter(runsDesc, f.Runs, labels...)
	x.timing(runDesc, f.Timed, labels...)
	x.counter(filterFailsDesc, f.Failed, labels...)
	x.counter(filterRestDesc, f.Rested, labels...)
}

func (x exposer) links(links []Link) {
	for name, l := range distinct(links, maxPeers, func(l Link) string { return l.Peer }) {
		x.counter(linkFramesDesc, l.FramesOut, name, "out")
		x.counter(linkFramesDesc, l.FramesIn, name, "in")
		x.counter(linkBytesDesc, l.BytesOut, name, "out")
		x.counter(linkBytesDesc, l.BytesIn, name, "in")
		x.closed(linkDropsDesc, linkDrops, l.Drops, name)
		x.gauge(linkQueuedDesc, float64(l.Queued), name)
		x.gauge(linkQueuedBytesDesc, float64(l.QueuedBytes), name)
		if l.RTT > 0 {
			x.gauge(linkRTTDesc, l.RTT.Seconds(), name)
		}
	}
}

// timing shows a Timing as a summary: _count and _sum.
func (x exposer) timing(d *prometheus.Desc, t Timing, labels ...string) {
	x.out <- prometheus.MustNewConstSummary(d, t.Count, t.Total.Seconds(), nil, labels...)
}
