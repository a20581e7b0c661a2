package clients

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a Table needs.
type Config struct {
	// Most is how many connections may be open. Zero: 10,000.
	Most int
	// PerAddress is how many of them one address may have. Zero: 1,000.
	PerAddress int
	// Exempt are proxies, whose address is not their clients'.
	Exempt []netip.Prefix
	// Logger is told when a limit is met, once a minute each. Nil: nobody is.
	Logger *slog.Logger
}

// Table is the connections that are open.
type Table struct {
	cfg   Config
	start time.Time
	room  chan struct{} // one token: a connection has ended or become idle
	full  atomic.Bool   // somebody waits for room

	mu      sync.Mutex
	conns   []*Conn
	perAddr map[netip.Addr]int

	count struct{ accepted, address, made, full, starved, flooded atomic.Uint64 }
	said  struct{ address, full, starved, flooded seldom }
}

// Stats is what a table has and what it has done since the start.
type Stats struct {
	Open, Busy, Most int

	Accepted uint64
	Refused  uint64 // because their address had its share
	Closed   uint64 // while idle, to make room
	Waited   uint64 // times that nothing was accepted since all were busy
	Starved  uint64 // times that no descriptor was left for one
	Flooded  uint64 // ended for what they sent
}

// New makes an empty table.
func New(cfg Config) *Table {
	if cfg.Most == 0 {
		cfg.Most = 10_000
	}
	if cfg.PerAddress == 0 {
		cfg.PerAddress = 1_000
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Table{cfg: cfg, start: time.Now(), room: make(chan struct{}, 1), perAddr: make(map[netip.Addr]int)}
}

// Stats is the state now.
func (t *Table) Stats() Stats {
	s := Stats{
		Most: t.cfg.Most, Accepted: t.count.accepted.Load(), Refused: t.count.address.Load(),
		Closed: t.count.made.Load(), Waited: t.count.full.Load(), Starved: t.count.starved.Load(),
		Flooded: t.count.flooded.Load(),
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Open = len(t.conns)
	for _, c := range t.conns {
		if c.state.Load() == busy {
			s.Busy++
		}
	}
	return s
}

// now is when something happens, never 0.
func (t *Table) now() int64 { return int64(time.Since(t.start)) + 1 }

// add counts conn in; nil: its address has its share.
func (t *Table) add(conn net.Conn) *Conn {
	c := &Conn{Conn: conn, table: t}
	c.state.Store(t.now() << 1)
	t.mu.Lock()
	c.at = len(t.conns)
	t.conns = append(t.conns, c)
	t.mu.Unlock()
	addr := addressOf(conn)
	if !t.exempt(addr) && !t.join(c, addr) {
		reset(conn)
		_ = c.Close()
		return nil
	}
	t.count.accepted.Add(1)
	return c
}

// join counts c in the share of addr, unless that is full. What is no IP address
// has no share.
func (t *Table) join(c *Conn, addr netip.Addr) bool {
	key := shareOf(addr)
	if !key.IsValid() {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.perAddr[key] >= t.cfg.PerAddress {
		t.count.address.Add(1)
		if t.said.address.due(t.now()) {
			t.cfg.Logger.Warn("an address has too many connections open, more are refused",
				"address", addr, "limit", t.cfg.PerAddress)
		}
		return false
	}
	if !c.closed.Load() { // else remove may have been here
		t.perAddr[key]++
		c.from = key
	}
	return true
}

func (t *Table) remove(c *Conn) {
	t.mu.Lock()
	last := t.conns[len(t.conns)-1]
	t.conns[c.at], last.at = last, c.at
	t.conns[len(t.conns)-1] = nil
	t.conns = t.conns[:len(t.conns)-1]
	if c.from.IsValid() {
		if t.perAddr[c.from]--; t.perAddr[c.from] == 0 {
			delete(t.perAddr, c.from)
		}
	}
	t.mu.Unlock()
	t.stir()
}

// stir wakes who waits for room.
func (t *Table) stir() {
	if !t.full.Load() {
		return
	}
	select {
	case t.room <- struct{}{}:
	default:
	}
}

func (t *Table) exempt(addr netip.Addr) bool {
	for _, p := range t.cfg.Exempt {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// addressOf is the IP address of the other end; zero where it has none.
func addressOf(conn net.Conn) netip.Addr {
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok { // without its text
		return a.AddrPort().Addr().Unmap().WithZone("")
	}
	from, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap().WithZone("")
}

// shareOf is what addr is counted by: IPv6 is given out by /64 at least.
func shareOf(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if !addr.Is6() {
		return addr
	}
	prefix, _ := addr.Prefix(64) // it has as many bits
	return prefix.Addr()
}

// seldom is when something was last said.
type seldom struct{ last atomic.Int64 }

// due says whether it may be said again, which is once a minute.
func (s *seldom) due(now int64) bool {
	last := s.last.Load()
	return (last == 0 || now-last >= int64(time.Minute)) && s.last.CompareAndSwap(last, now)
}
