package demo

import (
	"math"
	"slices"
	"time"
)

// Result is what a Load has measured. Sent is OK plus Errors.
type Result struct {
	// Sent counts the requests that were due.
	Sent int `json:"sent"`
	// OK counts answers with a status below 400.
	OK int `json:"ok"`
	// Errors counts all others: answers with a higher status, and requests
	// that got none.
	Errors int `json:"errors"`
	// ByStatus counts answers by status.
	ByStatus map[int]int `json:"by_status"`
	// ByFailure counts requests without an answer: "timeout", "connection",
	// and "in-flight", which were not sent at all because the bound of the
	// Load was reached.
	ByFailure map[string]int `json:"by_failure"`
	// ServedBy counts answers below 400 by their ServedBy header.
	ServedBy map[string]int `json:"served_by"`
	// P50, P99 and Mean are response times of OK answers in milliseconds, from
	// when the request was due to the last byte of the body.
	P50  float64 `json:"p50_ms"`
	P99  float64 `json:"p99_ms"`
	Mean float64 `json:"mean_ms"`
}

// sample collects what the requests of one Load came to. It is guarded by the
// Load's mutex.
type sample struct {
	result Result
	times  []time.Duration
}

func newSample() *sample {
	return &sample{result: Result{
		ByStatus:  make(map[int]int),
		ByFailure: make(map[string]int),
		ServedBy:  make(map[string]int),
	}}
}

// outcome is what one request came to: a status, or why there is none.
type outcome struct {
	status   int
	failure  string
	servedBy string
	took     time.Duration
}

func (s *sample) add(o outcome) {
	s.result.Sent++
	if o.failure != "" {
		s.result.Errors++
		s.result.ByFailure[o.failure]++
		return
	}
	s.result.ByStatus[o.status]++
	if o.status >= 400 {
		s.result.Errors++
		return
	}
	s.result.OK++
	s.times = append(s.times, o.took)
	if o.servedBy != "" {
		s.result.ServedBy[o.servedBy]++
	}
}

// finish is the result with its response times worked out.
func (s *sample) finish() Result {
	slices.Sort(s.times)
	s.result.P50 = milliseconds(quantile(s.times, 0.50))
	s.result.P99 = milliseconds(quantile(s.times, 0.99))
	var sum time.Duration
	for _, t := range s.times {
		sum += t
	}
	if n := len(s.times); n > 0 {
		s.result.Mean = milliseconds(sum / time.Duration(n))
	}
	return s.result
}

// quantile is the smallest of the sorted times that at least the share q of
// them does not exceed; 0 of none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// milliseconds is d with two digits behind the point.
func milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(10*time.Microsecond)) / 100
}
