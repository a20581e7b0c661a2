package metrics

import (
	"iter"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// exposition is a Collector as Prometheus sees it: constant metrics made anew
// at each scrape, so nothing has to be removed when a peer goes.
type exposition Collector

var (
	requestsDesc   = desc("requests_total", "Requests by where they were served and the class of the answer's status.", "route", "code_class")
	softDesc       = desc("soft_limit", "Requests at the upstream before others may go elsewhere, learned or given.")
	inFlightDesc   = desc("in_flight", "Requests at the upstream, of clients and of peers.")
	websocketsDesc = desc("websockets", "Websockets of this agent's clients that are open, here or at peers.")
	queueDesc      = desc("queue_length", "Requests that wait for a local place.")
	overflowDesc   = desc("overflow_total", "Requests, each once per reason: soft_limit found no local place and went to the peers, no_peer were taken by none of them at least at first, shed were refused, displaced of these had waited, timeout had no answer in time, early had too little time left to be begun.", "reason")
	raisedDesc     = desc("overflow_raised", "1 while a threshold raises overflow and requests go to peers although there are places here, else 0.")
	crossingsDesc  = desc("threshold_crossings_total", "Crossings of thresholds, by what the threshold was after it.", "state")
	toldDesc       = desc("threshold_messages_total", "Crossings that an event or a webhook was to tell of, by what became of it.", "result")
	copiesDesc     = desc("copies_total", "Copies sent to peers, by what became of them.", "result")
	duplicatesDesc = desc("duplicates_dropped_total", "Answers of peers that were dropped because another came first.")
	cancelsDesc    = desc("cancels_total", "Cancels sent to peers.")
	movesDesc      = desc("moves_total", "What agents said to each other before requests moved: offers, one to each peer, claims sent, late_claims received that found nothing waiting, unanswered claims that were sent, grants of claims, pushes to peers that had not claimed, refusals of what peers sent, copies of requests beside the first, backups among them.", "how")
	controlDesc    = desc("control_messages_total", "Messages of the policy sent that carry no request.")
	ejectionsDesc  = desc("ejections_total", "Times that a peer which failed was left alone for a while.")
	ejectedDesc    = desc("ejected_peers", "Peers that are left alone now because they failed.")
	sickDesc       = desc("upstream_failing", "1 while the web server fails too many of its requests, and they go to peers first, else 0.")
	upDesc         = desc("upstream_up", "1 while the web server is given requests, 0 while it is down.")
	checksDesc     = desc("upstream_checks_total", "Checks of --health-path, by result.", "result")
	wastedDesc     = desc("wasted_seconds_total", "Time that the web server worked on requests of peers that nobody needed any more.")
	peerLoadDesc   = desc("peer_load", "Load that a peer last reported; 1 is full.", "peer")
	peerAgeDesc    = desc("peer_heard_age_seconds", "Time since anything came from a peer.", "peer")
	membersDesc    = desc("members", "Other nodes of the cluster that gossip believes alive.")
	linksDesc      = desc("links", "Links to peers that are up.")
	rejoinDesc     = desc("rejoin_attempts_total", "Attempts to join seeds again.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("kecho_"+name, help, labels, nil)
}

const maxPeers = 1024

// Describe is prometheus.Collector's.
func (e *exposition) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		requestsDesc, softDesc, inFlightDesc, queueDesc, websocketsDesc, overflowDesc, raisedDesc, crossingsDesc, toldDesc, copiesDesc, duplicatesDesc, cancelsDesc,
		movesDesc, controlDesc, wastedDesc, ejectionsDesc, ejectedDesc, sickDesc, upDesc, checksDesc,
		connectionsDesc, connectionsBusyDesc, connectionsMostDesc, connectionsAcceptedDesc, connectionsLimitedDesc,
		flowEventsDesc, flowQueueDesc,
		leasesDesc, waitingDesc, closedDesc, capacityDesc, freeDesc,
		peerLoadDesc, peerAgeDesc, membersDesc, linksDesc, rejoinDesc,
	} {
		out <- d
	}
	for _, d := range channelDescs() {
		out <- d
	}
}

// Collect is prometheus.Collector's.
func (e *exposition) Collect(out chan<- prometheus.Metric) {
	x := exposer{out}
	for i, route := range routes {
		for class, name := range classNames {
			x.counter(requestsDesc, e.requests[i][class].Load(), string(route), name)
		}
	}
	s := e.snapshot()
	x.gauge(softDesc, float64(s.Soft))
	x.gauge(inFlightDesc, float64(s.InFlight))
	x.gauge(queueDesc, float64(s.Queued))
	x.gauge(websocketsDesc, float64(s.Websockets))
	x.closed(overflowDesc, overflowReasons, s.Overflow)
	x.flag(raisedDesc, s.OverflowRaised)
	x.closed(crossingsDesc, crossingStates, s.Crossings)
	x.closed(toldDesc, messageResults, s.Told)
	x.closed(copiesDesc, copyResults, s.Copies)
	x.counter(duplicatesDesc, s.DuplicatesDropped)
	x.counter(cancelsDesc, s.Cancels)
	x.closed(movesDesc, moves, s.Moves)
	x.counter(controlDesc, s.Control)
	x.out <- prometheus.MustNewConstMetric(wastedDesc, prometheus.CounterValue, s.Wasted.Seconds())
	x.counter(ejectionsDesc, s.Ejections)
	x.gauge(ejectedDesc, float64(s.Ejected))
	x.flag(sickDesc, s.Sick)
	x.flag(upDesc, s.UpstreamUp)
	x.closed(checksDesc, checkResults, s.Checks)
	x.gauge(membersDesc, float64(s.Members))
	x.gauge(linksDesc, float64(s.Links))
	x.counter(rejoinDesc, s.RejoinAttempts)
	x.connections(s.Connections)
	x.flows(s.Flows)
	x.leases(s.Leases)
	x.peers(s.Peers)
	x.channels(s.Channels)
	x.links(s.PerLink)
}

// exposer sends metrics to a scrape.
type exposer struct{ out chan<- prometheus.Metric }

func (x exposer) gauge(d *prometheus.Desc, v float64, labels ...string) {
	x.out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (x exposer) flag(d *prometheus.Desc, set bool) {
	v := 0.0
	if set {
		v = 1
	}
	x.gauge(d, v)
}

func (x exposer) counter(d *prometheus.Desc, v uint64, labels ...string) {
	x.out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

// closed shows counts by the values of the last label, with what is not in
// the set added up as other.
func (x exposer) closed(d *prometheus.Desc, set []string, counts map[string]uint64, labels ...string) {
	var rest uint64
	for value, n := range counts {
		if slices.Contains(set, value) {
			x.counter(d, n, append(slices.Clone(labels), value)...)
		} else {
			rest += n
		}
	}
	if rest > 0 {
		x.counter(d, rest, append(slices.Clone(labels), other)...)
	}
}

func (x exposer) peers(peers []Peer) {
	for name, p := range distinct(peers, maxPeers, func(p Peer) string { return p.Name }) {
		if p.Load != nil {
			x.gauge(peerLoadDesc, *p.Load, name)
		}
		if p.HeardAge >= 0 {
			x.gauge(peerAgeDesc, p.HeardAge.Seconds(), name)
		}
	}
}

// distinct are the first most of all under their names as labels' values, the
// first of each name only: twice would fail the whole scrape.
func distinct[T any](all []T, most int, name func(T) string) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		shown := make(map[string]bool)
		for _, v := range all[:min(len(all), most)] {
			n := valid(name(v))
			if shown[n] {
				continue
			}
			shown[n] = true
			if !yield(n, v) {
				return
			}
		}
	}
}

// valid is s as a label's value: it came from another machine, and a scrape
// fails whole at bytes that are not UTF-8.
func valid(s string) string { return strings.ToValidUTF8(s, "?") }
