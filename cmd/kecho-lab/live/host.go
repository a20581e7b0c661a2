package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"kecho/cmd/kecho-lab/alarm"
	"kecho/cmd/kecho/demo"
)

// What a client tells the worker: which request this is, and for how many
// nanoseconds it keeps a worker.
const (
	requestHeader = "X-Bench-Request"
	workHeader    = "X-Bench-Work"
)

// HostConfig describes the web servers of a run.
type HostConfig struct {
	// Nodes is how many there are, Workers how many requests each works on at
	// once.
	Nodes, Workers int
	// Burn has a worker use CPU while it is busy; else it sleeps.
	Burn bool
}

// hosting is where the hosts are, as their process prints it.
type hosting struct {
	Control string   `json:"control"`
	Webs    []string `json:"webs"`
}

// execution is what a worker did for a request.
type execution struct {
	Request int           `json:"request"`
	Node    int           `json:"node"`
	Asked   time.Duration `json:"asked_ns"`
	Took    time.Duration `json:"took_ns"`
	// Done is false when the client was gone first.
	Done bool `json:"done"`
}

// hosts is the web servers, in their own process.
type hosts struct {
	cfg    HostConfig
	open   sync.WaitGroup
	alarms []chan *alarm.Alarm // of each node, one a worker

	mu      sync.Mutex
	servers []*http.Server // guarded by mu; nil while it is down
	at      []string       // guarded by mu: their addresses
	ran     []execution    // guarded by mu
	running int            // guarded by mu
}

// Host runs the web servers until ctx ends. It writes where they are to out,
// as a line of JSON.
func Host(ctx context.Context, cfg HostConfig, out io.Writer) error {
	h := &hosts{cfg: cfg, servers: make([]*http.Server, cfg.Nodes), at: make([]string, cfg.Nodes)}
	defer h.close()
	for i := range cfg.Nodes {
		if err := errors.Join(h.wind(), h.up(i)); err != nil {
			return err
		}
	}
	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start the hosts' control: %w", err)
	}
	if err := json.NewEncoder(out).Encode(hosting{control.Addr().String(), h.at}); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /up/{node}", h.change(h.up))
	mux.HandleFunc("POST /down/{node}", h.change(h.down))
	mux.HandleFunc("GET /executions", h.serveExecutions)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: startPatience}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(control); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// wind makes the alarms of one more node.
func (h *hosts) wind() error {
	alarms := make(chan *alarm.Alarm, h.cfg.Workers)
	h.alarms = append(h.alarms, alarms)
	for range h.cfg.Workers {
		a, err := alarm.New()
		if err != nil {
			return err
		}
		alarms <- a
	}
	return nil
}

// up starts the web server of node i, with all workers free, where it was
// before.
func (h *hosts) up(i int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.servers[i] != nil {
		return fmt.Errorf("host %d is up", i)
	}
	at := h.at[i]
	if at == "" {
		at = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", at)
	if err != nil {
		return fmt.Errorf("start host %d: %w", i, err)
	}
	web := demo.NewWeb(demo.WebConfig{
		Name: nodeName(i), Workers: h.cfg.Workers,
		Busy: func(r *http.Request) bool { return h.work(i, r) },
	})
	server := &http.Server{Handler: web, ReadHeaderTimeout: startPatience}
	h.at[i], h.servers[i] = listener.Addr().String(), server
	h.open.Go(func() { server.Serve(listener) }) // until it is closed
	return nil
}

// down ends the web server of node i at once, and every request that it has.
func (h *hosts) down(i int) error {
	h.mu.Lock()
	server := h.servers[i]
	h.servers[i] = nil
	h.mu.Unlock()
	if server == nil {
		return fmt.Errorf("host %d is down", i)
	}
	return server.Close()
}

func (h *hosts) close() {
	for i := range h.cfg.Nodes {
		h.down(i) // or it is down
	}
	h.open.Wait()
	for _, alarms := range h.alarms {
		for len(alarms) > 0 {
			(<-alarms).Close()
		}
	}
}

// work keeps a worker of node i busy for as long as the request says.
func (h *hosts) work(i int, r *http.Request) bool {
	n, err := strconv.Atoi(r.Header.Get(requestHeader))
	asked, err2 := strconv.ParseInt(r.Header.Get(workHeader), 10, 64)
	if err != nil || err2 != nil {
		return true // not of this bench
	}
	e := execution{Request: n, Node: i, Asked: time.Duration(asked)}
	h.note(1, nil)
	began := time.Now()
	if h.cfg.Burn {
		e.Done = burn(r.Context(), e.Asked)
	} else {
		a := <-h.alarms[i]
		e.Done = a.Sleep(r.Context(), e.Asked)
		h.alarms[i] <- a
	}
	e.Took = time.Since(began)
	h.note(-1, &e)
	return e.Done
}

func (h *hosts) note(running int, e *execution) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running += running
	if e != nil {
		h.ran = append(h.ran, *e)
	}
}

// burn uses a CPU for d; false when ctx ended first.
func burn(ctx context.Context, d time.Duration) bool {
	for began := time.Now(); time.Since(began) < d; {
		if ctx.Err() != nil {
			return false
		}
	}
	return true
}

// change answers a command to a host.
func (h *hosts) change(do func(i int) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		i, err := strconv.Atoi(r.PathValue("node"))
		if err != nil || i < 0 || i >= h.cfg.Nodes {
			http.Error(w, "there is no such host", http.StatusNotFound)
			return
		}
		if err := do(i); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	}
}

// executions is all that the workers did.
type executions struct {
	// Running is how many requests are worked on now; those are not in Ran.
	Running int         `json:"running"`
	Ran     []execution `json:"ran"`
}

func (h *hosts) serveExecutions(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	all := executions{h.running, h.ran[:len(h.ran):len(h.ran)]} // what is appended later is not seen
	h.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(all) // the client sees a cut answer
}

func nodeName(i int) string { return "n" + strconv.Itoa(i+1) }
