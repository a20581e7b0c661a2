package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// ServedBy is the response header that carries the name of the Web that
// answered.
const ServedBy = "X-Served-By"

// WebConfig describes a web server.
type WebConfig struct {
	// Name goes into the ServedBy header. Zero: "web".
	Name string
	// Workers is how many requests are worked on at once. Zero: 4.
	Workers int
	// Work is how long a worker is busy with one request. Zero: 38 ms.
	Work time.Duration
	// Busy, when set, is what a worker does for one request in place of being
	// busy for Work, until it is done; false: the client gave up first. The
	// body of the request is the Web's.
	Busy func(r *http.Request) bool
}

// Web is a web server of limited capacity: requests wait, first come first
// served and for as long as their clients do, for one of a few workers.
//
// It answers on every path: GET with a line of text, other methods with the
// body that they brought. /big?bytes=N is a body of N bytes, /sse a stream of
// server-sent events that ends with the client. /stats is free of work and
// answers WebStats as JSON.
type Web struct {
	cfg     WebConfig
	workers chan struct{} // a token a busy worker; Go wakes senders in their order

	served, cancelled, running, maxRunning atomic.Int64
}

// WebStats is what a Web has done so far.
type WebStats struct {
	// Served counts requests that a worker finished.
	Served int64 `json:"served"`
	// MaxRunning is the most requests that were worked on at once.
	MaxRunning int64 `json:"max_running"`
	// Cancelled counts requests whose client gave up while they waited or
	// were worked on.
	Cancelled int64 `json:"cancelled"`
}

// NewWeb makes a web server; it starts nothing.
func NewWeb(cfg WebConfig) *Web {
	if cfg.Name == "" {
		cfg.Name = "web"
	}
	if cfg.Workers <= 0 {
		cfg.Workers = 4
	}
	if cfg.Work <= 0 {
		cfg.Work = 38 * time.Millisecond
	}
	if cfg.Busy == nil {
		cfg.Busy = func(r *http.Request) bool { return waited(r.Context(), cfg.Work) }
	}
	return &Web{cfg: cfg, workers: make(chan struct{}, cfg.Workers)}
}

// Stats is what the server has done so far.
func (s *Web) Stats() WebStats {
	return WebStats{
		Served:     s.served.Load(),
		MaxRunning: s.maxRunning.Load(),
		Cancelled:  s.cancelled.Load(),
	}
}

func (s *Web) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(ServedBy, s.cfg.Name)
	switch r.URL.Path { // no ServeMux: it redirects paths that it finds unclean
	case "/big":
		s.serveBig(w, r)
	case "/sse":
		s.serveEvents(w, r)
	case "/stats":
		s.serveStats(w, r)
	default:
		s.serveText(w, r)
	}
}

// maxEarlyBody is how much of a request's body is read before the work. It is
// read first because net/http notices that a client is gone only once the
// body has been read.
const maxEarlyBody = 64 << 10

func (s *Web) serveText(w http.ResponseWriter, r *http.Request) {
	var early bytes.Buffer
	if _, err := io.CopyN(&early, r.Body, maxEarlyBody); err != nil && err != io.EOF {
		s.cancelled.Add(1)
		return
	}
	if !s.work(r) {
		return
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "hello from %s\n", s.cfg.Name)
		return
	}
	// Without full duplex net/http reads the whole body before the first
	// byte of the answer goes out, and gives up on it after 256 KiB.
	// HTTP/2 has it always, which it says by an error.
	http.NewResponseController(w).EnableFullDuplex()
	w.Header().Set("Content-Type", "application/octet-stream")
	if r.ContentLength >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	io.Copy(w, io.MultiReader(&early, r.Body)) // the client sees the end as an error
}

func (s *Web) serveBig(w http.ResponseWriter, r *http.Request) {
	left, err := strconv.ParseInt(r.URL.Query().Get("bytes"), 10, 64)
	if err != nil || left < 0 {
		http.Error(w, "want /big?bytes=N with N >= 0", http.StatusBadRequest)
		return
	}
	if !s.work(r) {
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(left, 10))
	chunk := bytes.Repeat([]byte("kecho"), 6553) // near 32 KiB
	for left > 0 {
		n, err := w.Write(chunk[:min(left, int64(len(chunk)))])
		if err != nil {
			return
		}
		left -= int64(n)
	}
}

// eventEvery is the pace of /sse.
const eventEvery = 100 * time.Millisecond

func (s *Web) serveEvents(w http.ResponseWriter, r *http.Request) {
	if !s.work(r) {
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	tick := time.NewTicker(eventEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		if _, err := fmt.Fprintf(w, "id: %d\ndata: %s\n\n", n, s.cfg.Name); err != nil {
			return
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Web) serveStats(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(s.Stats()) // the client sees a cut answer
}

// work waits for a worker and keeps it busy for one request's time. It is
// false when the client gave up first: the worker is free again at once.
func (s *Web) work(r *http.Request) bool {
	select {
	case s.workers <- struct{}{}:
		defer func() { <-s.workers }()
	case <-r.Context().Done():
		s.cancelled.Add(1)
		return false
	}
	s.noteRunning(s.running.Add(1))
	defer s.running.Add(-1)
	if !s.cfg.Busy(r) {
		s.cancelled.Add(1)
		return false
	}
	s.served.Add(1)
	return true
}

// waited waits for d; false when ctx ended first.
func waited(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Web) noteRunning(now int64) {
	for {
		most := s.maxRunning.Load()
		if now <= most || s.maxRunning.CompareAndSwap(most, now) {
			return
		}
	}
}
