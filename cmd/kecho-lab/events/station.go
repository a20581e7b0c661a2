package events

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Config is what a station is.
type Config struct {
	// Bus is tcp or quic, for kecho over such links, or a NATS server's URL.
	Bus string
	// Name is its own among the stations of a bus.
	Name string
	// Seed is where kecho's gossip finds another station; "": it is the first.
	Seed string
	// Subjects are what it hears, if it is a Sink, or publishes.
	Subjects []string
	Sink     bool
}

// Address is where a station is.
type Address struct {
	Control string `json:"control"`
	Bus     string `json:"bus"` // what others take as their Seed, or the server
}

// Ready asks a source whether so many stations would hear a subject.
type Ready struct {
	Subject  string `json:"subject"`
	Stations int    `json:"stations"`
}

// Send has a source publish events, and Sent is what came of it.
type Send struct {
	Subject string `json:"subject"`
	// Size is of a body in bytes, at least 8.
	Size int `json:"size"`
	// Rate is events a second; 0: a flood.
	Rate float64 `json:"rate"`
	// For is how long.
	For time.Duration `json:"for_ns"`
}

// Sent is what a source has published. Times are CLOCK_MONOTONIC's.
type Sent struct {
	Events int   `json:"events"`
	Began  int64 `json:"began_ns"`
	Ended  int64 `json:"ended_ns"`
	// Late is how much later than due the latest event was published: what the
	// source itself was late is in no time.
	Late time.Duration `json:"late_ns"`
}

// Hear waits until a sink has heard so many events since the last Clear.
type Hear struct {
	Events int `json:"events"`
}

// Heard is what a sink has heard since the last Clear.
type Heard struct {
	Events int   `json:"events"`
	Last   int64 `json:"last_ns"` // when the last of Took was heard
	// Took is the nanoseconds from submit to handler of each event; of a flood
	// only the last one's.
	Took []int64 `json:"took_ns"`
}

// MinSize is what a body's time needs.
const MinSize = 8

// patience is how long a sink waits for what was sent.
const patience = 20 * time.Second

// station is a process of the bench.
type station struct {
	bus   bus
	clock clock
	tally tally
}

// Serve is a station until ctx ends. It writes its Address to out when others
// can find it, and when it hears what it is to hear.
func Serve(ctx context.Context, cfg Config, out io.Writer) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s := &station{}
	var err error
	if s.clock, err = newClock(); err != nil {
		return err
	}
	var at Address
	if s.bus, at.Bus, err = open(ctx, cfg, stop); err != nil {
		return err
	}
	if cfg.Sink {
		for _, subject := range cfg.Subjects {
			if err := s.bus.hear(subject, s.handle); err != nil {
				return err
			}
		}
	}
	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start the station's control: %w", err)
	}
	at.Control = control.Addr().String()
	if err := json.NewEncoder(out).Encode(at); err != nil {
		return err
	}
	server := &http.Server{Handler: s.handler(), ReadHeaderTimeout: patience}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(control); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// handle is what hears an event.
func (s *station) handle(body []byte) {
	sent := int64(binary.BigEndian.Uint64(body))
	if sent == 0 {
		s.tally.count()
		return
	}
	now := s.clock.now()
	s.tally.note(now-sent, now)
}

func (s *station) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ready", order(func(_ context.Context, r Ready) (struct{}, error) {
		return struct{}{}, s.bus.ready(r.Subject, r.Stations)
	}))
	mux.HandleFunc("POST /send", order(s.send))
	mux.HandleFunc("POST /heard", order(func(ctx context.Context, h Hear) (Heard, error) {
		ctx, enough := context.WithTimeout(ctx, patience)
		defer enough()
		return s.tally.await(ctx, h.Events), nil
	}))
	mux.HandleFunc("POST /clear", order(func(context.Context, struct{}) (struct{}, error) {
		s.tally.clear()
		return struct{}{}, nil
	}))
	return mux
}

// order answers a command in JSON with JSON.
func order[In, Out any](do func(context.Context, In) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		out, err := do(r.Context(), in)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(out) // the client sees a cut answer
	}
}
