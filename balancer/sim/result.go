package sim

import (
	"slices"

	"kecho/balancer/policy"
)

// Result is what one run measured. Times are in milliseconds; a request that
// had no answer in time counts with the whole timeout.
type Result struct {
	Scenario string  `json:"scenario"`
	Policy   Policy  `json:"policy"`
	Nodes    int     `json:"nodes"`
	Requests int     `json:"requests"` // measured
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	P999     float64 `json:"p999_ms"`
	Mean     float64 `json:"mean_ms"`
	// Cold is of the clients of nodes that are not hot, in scenarios with hot
	// ones.
	ColdP99  float64 `json:"cold_p99_ms"`
	ColdMean float64 `json:"cold_mean_ms"`
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
	// Control is the messages per request that carry no request.
	Control float64 `json:"control_messages"`
	// Moved is the share of requests that a peer began.
	Moved float64 `json:"moved"`
}

func (w *world) result() Result {
	slices.Sort(w.latencies)
	slices.Sort(w.cold)
	n := float64(max(w.measured, 1))
	s := &w.cfg.Scenario
	can := s.capacity(w.cfg.Nodes) * float64(s.Places) / s.Service.Seconds() * (w.cfg.length() - w.warm).Seconds()
	return Result{
		Scenario: s.Name, Policy: w.cfg.Policy, Nodes: w.cfg.Nodes, Requests: w.measured,
		P50: quantile(w.latencies, .5), P99: quantile(w.latencies, .99), P999: quantile(w.latencies, .999), Mean: mean(w.latencies),
		ColdP99: quantile(w.cold, .99), ColdMean: mean(w.cold),
		Goodput: float64(len(w.latencies)-w.late) / can,
		Refused: float64(w.refused) / n, Failed: float64(w.failed) / n, Late: float64(w.late) / n,
		Twice: w.twice, Wasted: float64(w.wasted) / float64(max(w.work, 1)),
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

// addCounts adds what the cores counted over all requests.
func (r *Result) addCounts(c policy.Counts, requests int) {
	n := float64(max(requests, 1))
	r.Control = float64(c.Control) / n
	r.Moved = float64(c.Guests) / n
}
