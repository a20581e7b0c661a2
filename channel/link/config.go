package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"kecho/channel"
)

// Config is what a Pool is made of. Name, ID and Listener are needed; the zero
// value of every other field works.
type Config struct {
	// ID and Name are what this node says that it is.
	ID   channel.NodeID
	Name string // 1 to 64 bytes; with TLS, the name in this node's certificate
	// Cluster keeps clusters that reach each other apart: a node of another
	// one is refused. At most 64 bytes; empty is a cluster like any other.
	Cluster string
	// Listener is where peers come in. The pool owns it from Serve on and
	// closes it. It hands out plain connections: TLS is the pool's.
	Listener net.Listener
	// Dial makes a connection to what a Peer has as its Addr. Nil: TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// TLS, when set, makes every link mutually authenticated TLS 1.3: it
	// needs a certificate and RootCAs (LoadTLS fills both). A peer's
	// certificate must have the peer's name as a DNS name or common name.
	// Nil: plain connections, good for loopback and trusted networks.
	TLS *tls.Config
	// Changed, unless it is nil, is told of every link that came up and every one
	// that went down, those of one peer in their order. It must not block.
	Changed func(Change)
	// Logger is told of links that come and go and of peers that are refused.
	// Nil: nobody.
	Logger *slog.Logger

	DialTimeout  time.Duration // for a connection to stand. Zero: 1 s
	HelloTimeout time.Duration // for TLS and the exchange of hellos. Zero: 2 s
	PingInterval time.Duration // between two pings on a link. Zero: 1 s
	DeadAfter    time.Duration // without hearing anything, or with a write that does not end. Zero: 3 s
	RedialMin    time.Duration // upper bound of the first random wait before another dial. Zero: 50 ms
	RedialMax    time.Duration // upper bound of any such wait. Zero: 5 s
	FlushTimeout time.Duration // for what is queued when Serve's context ends. Zero: 500 ms
	QueueFrames  int           // per link and priority; one share has two thirds at most. Zero: 1,536
	QueueBytes   int           // the same. Zero: 6 MiB
}

// Peer is another node, as the registry tells it.
type Peer struct {
	ID   channel.NodeID
	Name string
	Addr string // what Config.Dial understands: "host:port" for TCP
}

// Change is that the link to a peer came up, or went down.
type Change struct {
	Peer  channel.NodeID
	Name  string
	Cause error // why it is down; nil: it is up
}

// filled is c with its defaults, or what is wrong with it.
func (c Config) filled() (Config, error) {
	if err := c.check(); err != nil {
		return c, fmt.Errorf("link configuration: %w", err)
	}
	if c.Dial == nil {
		dialer := &net.Dialer{KeepAlive: -1} // pings tell more, sooner
		c.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", addr)
		}
	}
	if c.Changed == nil {
		c.Changed = func(Change) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	for field, zero := range map[*time.Duration]time.Duration{
		&c.DialTimeout:  time.Second,
		&c.HelloTimeout: 2 * time.Second,
		&c.PingInterval: time.Second,
		&c.DeadAfter:    3 * time.Second,
		&c.RedialMin:    50 * time.Millisecond,
		&c.RedialMax:    5 * time.Second,
		&c.FlushTimeout: 500 * time.Millisecond,
	} {
		if *field == 0 {
			*field = zero
		}
	}
	if c.QueueFrames == 0 {
		c.QueueFrames = 1536
	}
	if c.QueueBytes == 0 {
		c.QueueBytes = 6 << 20
	}
	if c.DeadAfter < 2*c.PingInterval {
		return c, fmt.Errorf("link configuration: DeadAfter %v is less than two PingIntervals of %v: one late ping would end a link", c.DeadAfter, c.PingInterval)
	}
	return c, nil
}

func (c *Config) check() error {
	var errs []error
	if c.ID == 0 {
		errs = append(errs, errors.New("ID is zero: draw one with channel.NewNodeID"))
	}
	if len(c.Name) == 0 || len(c.Name) > maxName {
		errs = append(errs, fmt.Errorf("the Name has %d bytes, want 1 to %d", len(c.Name), maxName))
	}
	if len(c.Cluster) > maxName {
		errs = append(errs, fmt.Errorf("the Cluster has %d bytes, want at most %d", len(c.Cluster), maxName))
	}
	if c.Listener == nil {
		errs = append(errs, errors.New("no Listener"))
	}
	if min(c.DialTimeout, c.HelloTimeout, c.PingInterval, c.DeadAfter, c.RedialMin, c.RedialMax, c.FlushTimeout) < 0 {
		errs = append(errs, errors.New("a duration is negative"))
	}
	if min(c.QueueFrames, c.QueueBytes) < 0 {
		errs = append(errs, errors.New("a queue's limit is negative"))
	}
	if c.TLS != nil {
		errs = append(errs, CheckTLS(c.TLS, c.Name))
	}
	return errors.Join(errs...)
}
