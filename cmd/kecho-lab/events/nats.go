package events

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// What a flood over NATS keeps on its way at most, and how often sinks say how
// far they are.
const (
	windowEvents = 64 << 10
	windowBytes  = 16 << 20
	ackEvery     = 2 << 10
)

// ackSubject is before the subject in what sinks say.
const ackSubject = "ack."

// client is a client of a NATS server.
type client struct {
	conn *nats.Conn
	name string

	mu    sync.Mutex
	flows map[string]*flow // guarded by mu: by subject, of a source
}

// flow is how far a source and its sinks are with one subject.
type flow struct {
	sent    uint64        // owned by who publishes
	slowest atomic.Uint64 // what every sink has heard
	moved   chan struct{} // capacity 1: slowest has risen

	stations int               // guarded by client.mu
	heard    map[string]uint64 // guarded by client.mu: by each sink
}

func openNATS(cfg Config) (*client, error) {
	conn, err := nats.Connect(cfg.Bus, nats.Name(cfg.Name), nats.NoReconnect())
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", cfg.Bus, err)
	}
	c := &client{conn: conn, name: cfg.Name, flows: map[string]*flow{}}
	if cfg.Sink {
		return c, nil
	}
	for _, subject := range cfg.Subjects {
		c.flows[subject] = &flow{moved: make(chan struct{}, 1), heard: map[string]uint64{}}
	}
	if _, err := conn.Subscribe(ackSubject+">", c.acked); err != nil {
		return nil, fmt.Errorf("subscribe at NATS: %w", err)
	}
	return c, conn.Flush()
}

func (c *client) hear(subject string, handler func([]byte)) error {
	heard := uint64(0)
	sub, err := c.conn.Subscribe(subject, func(m *nats.Msg) {
		handler(m.Data)
		if heard++; heard%ackEvery == 0 {
			c.conn.Publish(ackSubject+subject, append(binary.BigEndian.AppendUint64(nil, heard), c.name...)) // else the flood stops, and the run says so
		}
	})
	if err != nil {
		return fmt.Errorf("subscribe at NATS: %w", err)
	}
	// The source's window is the bound: nothing is dropped here.
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return err
	}
	return c.conn.Flush()
}

// acked notes what a sink says.
func (c *client) acked(m *nats.Msg) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.flows[strings.TrimPrefix(m.Subject, ackSubject)]
	if f == nil || len(m.Data) < 8 {
		return
	}
	f.heard[string(m.Data[8:])] = binary.BigEndian.Uint64(m.Data)
	if len(f.heard) < f.stations {
		return
	}
	f.slowest.Store(slices.Min(slices.Collect(maps.Values(f.heard))))
	select {
	case f.moved <- struct{}{}:
	default:
	}
}

// ready takes it that all who hear have told the server: hear waits for that.
func (c *client) ready(subject string, stations int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.flows[subject]
	if f == nil {
		return fmt.Errorf("the subject %q is not this station's", subject)
	}
	f.stations = stations
	return nil
}

func (c *client) publish(ctx context.Context, subject string, body []byte, flood bool) error {
	f := c.flows[subject]
	f.sent++
	if err := c.conn.Publish(subject, body); err != nil || !flood {
		return err
	}
	window := uint64(max(1, min(windowEvents, windowBytes/len(body))))
	for f.sent-f.slowest.Load() >= window+ackEvery {
		select {
		case <-f.moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (c *client) flush() error { return c.conn.Flush() }
