package sim

import (
	"slices"
	"time"

	"kecho/balancer/policy"
)

// Result is what one run measured. Times are in milliseconds; a request that
// had no answer in time counts with the whole timeout.
type Result struct {
	Scenario string  `json:"scenario"`
	Policy   Policy  `json:"policy"`
	Nodes    int     `json:"nodes"`
	Dist     Dist    `json:"distribution"`
	Load     float64 `json:"load"`     // offered, as a share of what the servers can do, surges not counted
	Requests int     `json:"requests"` // measured
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	P999     float64 `json:"p999_ms"`
	Mean     float64 `json:"mean_ms"`
	// Cold is of the clients of nodes that are not hot, in scenarios with hot
	// ones.
	ColdP99  float64 `json:"cold_p99_ms"`
	ColdMean float64 `json:"cold_mean_ms"`
	// HereMean is of the requests that were answered in time and served by the
	// client's own node, AwayMean of those that a peer served.
	HereMean float64 `json:"here_mean_ms"`
	AwayMean float64 `json:"away_mean_ms"`
	// Goodput is the requests answered in time, as a share of what the servers
	// could do.
	Goodput float64 `json:"goodput"`
	// Refused, Failed and Late are shares of the requests.
	Refused float64 `json:"refused"`
	Failed  float64 `json:"failed"`
	Late    float64 `json:"late"`
	// Twice is how many requests were begun more than once.
	Twice int `json:"begun_twice"`
	// Wasted is the share of the servers' work that nobody got.
	Wasted float64 `json:"wasted"`
	// Hole is the share of what servers began that the broken one began, from a
	// second after it broke.
	Hole float64 `json:"hole"`
	// Far is the share of requests that a node of another zone began, and Drawn
	// of those that a liar got.
	Far   float64 `json:"far"`
	Drawn float64 `json:"drawn"`
	// Learned is how many places the agents believe in at the end, in the mean.
	Learned float64 `json:"learned_places"`
	// Control is the messages per request that carry no request.
	Control float64 `json:"control_messages"`
	// Bodies is the messages per request that carry one.
	Bodies float64 `json:"bodies"`
	// Backups is the share of requests that had one under Hedge, and BackupsWon
	// the share of those that were answered first.
	Backups    float64 `json:"backups"`
	BackupsWon float64 `json:"backups_won"`
	// Reports is the load reports per request, besides what rides on messages:
	// one for each node that hears one.
	Reports float64 `json:"report_messages"`
	// Moved is the share of requests that a peer began; of paper, p2c and least
	// also of those that came there and were not begun.
	Moved float64 `json:"moved"`
	// Messages is all of them per request: Control, Reports, Bodies, and an
	// answer for each that moved.
	Messages float64 `json:"messages"`
	// CPU is what the messages cost, sent and received, as a share of the
	// service time; and NodeCPU as milliseconds of each second of a node.
	CPU     float64 `json:"cpu_share"`
	NodeCPU float64 `json:"cpu_ms_per_node_second"`
	// Quantiles is the distribution of the answers' times.
	Quantiles []Quantile `json:"quantiles"`
}

// Quantile is one point of a distribution: Share of the requests took MS
// milliseconds at most.
type Quantile struct {
	Share float64 `json:"share"`
	MS    float64 `json:"ms"`
}

// shares is where a distribution is looked at: closer at the end that matters.
var shares = [...]float64{.01, .05, .1, .15, .2, .25, .3, .35, .4, .45, .5, .55, .6, .65, .7, .75, .8, .85, .9, .925, .95, .96, .97,
	.98, .985, .99, .9925, .995, .9975, .999, .9995, .9999, 1}

func (w *world) result() Result {
	slices.Sort(w.latencies)
	slices.Sort(w.cold)
	n := float64(max(w.measured, 1))
	s := &w.cfg.Scenario
	can := s.capacity(w.cfg.Nodes) * float64(s.Places) / s.Service.Seconds() * (w.cfg.length() - w.warm).Seconds()
	var quantiles []Quantile
	for _, q := range shares {
		quantiles = append(quantiles, Quantile{q, quantile(w.latencies, q)})
	}
	total := float64(max(w.requests, 1))
	return Result{
		Dist: s.Dist, Load: s.offered(w.cfg.Nodes), Quantiles: quantiles, Reports: float64(w.told) / total, Moved: float64(w.moved) / total, Bodies: float64(w.moved) / total,
		Scenario: s.Name, Policy: w.cfg.Policy, Nodes: w.cfg.Nodes, Requests: w.measured,
		P50: quantile(w.latencies, .5), P99: quantile(w.latencies, .99), P999: quantile(w.latencies, .999), Mean: mean(w.latencies),
		ColdP99: quantile(w.cold, .99), ColdMean: mean(w.cold),
		HereMean: w.here.mean(), AwayMean: w.away.mean(),
		Goodput: float64(len(w.latencies)-w.late) / can,
		Refused: float64(w.refused) / n, Failed: float64(w.failed) / n, Late: float64(w.late) / n,
		Twice: w.twice, Wasted: float64(w.wasted) / float64(max(w.work, 1)),
		Far:  float64(w.far) / float64(max(w.requests, 1)),
		Hole: float64(w.holed) / float64(max(w.begun, 1)),
	}
}

// quantile is in milliseconds, of seconds that are sorted.
func quantile(sorted []float32, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return 1e3 * float64(sorted[min(int(q*float64(len(sorted))), len(sorted)-1)])
}

func mean(seconds []float32) float64 {
	sum := 0.0
	for _, s := range seconds {
		sum += 1e3 * float64(s)
	}
	return sum / float64(max(len(seconds), 1))
}

// tally is a mean that is being taken.
type tally struct {
	sum   time.Duration
	count int
}

func (t *tally) add(d time.Duration) { t.sum, t.count = t.sum+d, t.count+1 }

// mean is in milliseconds.
func (t *tally) mean() float64 { return 1e3 * t.sum.Seconds() / float64(max(t.count, 1)) }

// addCounts adds what the cores counted over all requests.
func (r *Result) addCounts(c policy.Counts, requests int) {
	n := float64(max(requests, 1))
	r.Control = float64(c.Control) / n
	r.Moved = float64(c.Guests) / n
	r.Bodies = float64(c.Carried) / n
	r.Backups = float64(c.Hedged) / n
	r.BackupsWon = float64(c.Won) / float64(max(c.Hedged, 1))
}

// addCost adds what the messages of all requests cost.
func (r *Result) addCost(cfg *Config, requests int) {
	r.Messages = r.Control + r.Reports + r.Bodies + r.Moved
	cpu := 2 * r.Messages * cfg.MessageCost.Seconds()
	r.CPU = cpu / cfg.Scenario.Service.Seconds()
	r.NodeCPU = 1e3 * cpu * float64(requests) / cfg.Seconds / float64(cfg.Nodes)
}
