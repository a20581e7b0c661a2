package balancer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kecho/balancer/policy"
	"kecho/channel"
	"kecho/channel/channeltest"
	"kecho/filters"
)

// cluster is some balancers, each with a web server, on one hub in a bubble.
type cluster struct {
	t       *testing.T
	hub     *channeltest.Hub
	members []*member
	next    channel.NodeID
}

// member is one node of a cluster.
type member struct {
	*Balancer
	c       *cluster
	id      channel.NodeID
	node    *channel.Node
	monitor *channel.Channel
	web     *webServer
	stop    context.CancelFunc // ends Run
	done    chan struct{}      // Run has ended
}

// newCluster makes n members with names n1, n2, ... Each may be told apart
// from the defaults by change, which may be nil.
func newCluster(t *testing.T, n int, change func(i int, cfg *Config)) *cluster {
	t.Helper()
	c := &cluster{t: t, hub: channeltest.NewHub()}
	for i := range n {
		c.join(func(cfg *Config) {
			if change != nil {
				change(i, cfg)
			}
		})
	}
	c.settle()
	return c
}

// defaults are limits that a test sees the bounds of.
func defaults() policy.Config {
	return policy.Config{Places: 2, Hard: 4, Queue: 16, ShedAge: 500 * time.Millisecond}
}

// join adds one member that runs.
func (c *cluster) join(change func(cfg *Config)) *member {
	c.t.Helper()
	m := c.node()
	data, err := m.node.Open("data")
	if err != nil {
		c.t.Fatal(err)
	}
	m.web = newWebServer(c.t, fmt.Sprint("n", uint64(m.id)))
	cfg := Config{
		Name: m.web.name, Upstream: "http://127.0.0.1:8000", Dial: m.web.dial,
		Data: data, Policy: defaults(), RTT: func(channel.NodeID) time.Duration { return 10 * time.Microsecond },
	}
	change(&cfg)
	if m.Balancer, err = New(cfg); err != nil {
		c.t.Fatal(err)
	}
	m.node.DescribeFunc(m.Describe)
	ctx, stop := context.WithCancel(c.t.Context())
	m.stop, m.done = stop, make(chan struct{})
	go func() {
		defer close(m.done)
		if err := m.Run(ctx); err != nil {
			c.t.Errorf("%s: %v", cfg.Name, err)
		}
	}()
	c.t.Cleanup(func() { stop(); <-m.done })
	c.members = append(c.members, m)
	return m
}

// node starts a node with the monitoring channel, on which it says something
// each second, as an agent does.
func (c *cluster) node() *member {
	c.t.Helper()
	c.next++
	m := &member{c: c, id: c.next, node: channeltest.Start(c.t, c.hub, c.next)}
	if err := m.node.Describe(filters.Name.Of(fmt.Sprint("n", uint64(m.id)))); err != nil {
		c.t.Fatal(err)
	}
	var err error
	if m.monitor, err = m.node.Open("monitor"); err != nil {
		c.t.Fatal(err)
	}
	var reports sync.WaitGroup
	reports.Go(func() {
		for range 1000 { // not for ever: who waits in vain must be seen to
			select {
			case <-c.t.Context().Done():
				return
			case <-time.After(time.Second):
				m.report()
			}
		}
	})
	c.t.Cleanup(reports.Wait)
	return m
}

func (m *member) report() {
	_, _ = m.monitor.Submit(context.Background(), channel.Event{Type: "load", Priority: channel.Urgent}) // alone there is no sink
}

// settle returns when all have heard the load of all.
func (c *cluster) settle() {
	c.t.Helper()
	synctest.Wait()
	for _, m := range c.members {
		m.report()
	}
	synctest.Wait()
}

// cut takes the member off all others, as if it had died.
func (c *cluster) cut(m *member) {
	for _, other := range c.members {
		if other != m {
			c.hub.Down(m.id, other.id)
		}
	}
}

// idle fails the test if anything is still held anywhere.
func (c *cluster) idle() {
	c.t.Helper()
	synctest.Wait()
	for _, m := range c.members {
		s := m.Stats()
		if s.Calls != 0 || s.Exchanges != 0 || s.State.Running != 0 || s.State.Queued != 0 {
			c.t.Errorf("%s still has %d calls, %d exchanges, %d running, %d queued", m.cfg.Name, s.Calls, s.Exchanges, s.State.Running, s.State.Queued)
		}
		if kept := m.replay.kept.Load(); kept != 0 {
			c.t.Errorf("%s still keeps %d bytes of bodies", m.cfg.Name, kept)
		}
		if n := m.chosen.Stats().Entries; n != 0 {
			c.t.Errorf("%s still remembers %d choices", m.cfg.Name, n)
		}
		if n := m.first.Stats().Open; n != 0 {
			c.t.Errorf("%s still has %d answers open", m.cfg.Name, n)
		}
		if n := m.web.running.Load(); n != 0 {
			c.t.Errorf("the web server of %s still works on %d requests", m.cfg.Name, n)
		}
	}
}

// webServer answers from memory, behind one member.
type webServer struct {
	name    string
	pipes   *pipes
	down    atomic.Bool
	running atomic.Int64 // requests now
	served  atomic.Int64 // requests begun since the start
	most    atomic.Int64 // of running
	ended   chan error   // causes of requests whose clients went

	mu     sync.Mutex
	handle http.HandlerFunc // guarded by mu
}

func newWebServer(t *testing.T, name string) *webServer {
	s := &webServer{name: name, ended: make(chan error, 1000), handle: work}
	s.pipes = serveHTTP(t, s)
	return s
}

func (s *webServer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if s.down.Load() {
		return nil, errors.New("connection refused")
	}
	return s.pipes.dial(ctx, network, address)
}

func (s *webServer) set(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handle = h
}

func (s *webServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	handle := s.handle
	s.mu.Unlock()
	s.served.Add(1)
	now := s.running.Add(1)
	defer s.running.Add(-1)
	for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
	}
	w.Header().Set("Served-By", s.name)
	handle(w, r)
	if r.Context().Err() != nil {
		s.ended <- context.Cause(r.Context())
	}
}

// work is a handler that takes the time that the request says, ?ms=38, after
// the head of its answer with &head.
func work(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("head") {
		_ = http.NewResponseController(w).Flush() // a client that is gone is seen below
	}
	ms, _ := strconv.Atoi(r.URL.Query().Get("ms"))
	if ms > 0 {
		select {
		case <-r.Context().Done():
			return
		case <-time.After(time.Duration(ms) * time.Millisecond):
		}
	}
	_, _ = fmt.Fprintf(w, "%s %s", r.Method, r.URL.Path)
}

// outcome is what a client of a member got.
type outcome struct {
	*httptest.ResponseRecorder
	took    time.Duration
	aborted bool // the connection was broken off
}

func (r *outcome) by() string { return r.Header().Get("Served-By") }

// do has the member serve a request, without a connection.
func (m *member) do(r *http.Request) (res *outcome) {
	res = &outcome{ResponseRecorder: httptest.NewRecorder()}
	start := time.Now()
	defer func() {
		res.took = time.Since(start)
		if v := recover(); v == http.ErrAbortHandler {
			res.aborted = true
		} else if v != nil {
			panic(v)
		}
	}()
	m.ServeHTTP(res, r)
	return res
}

func (m *member) get(target string) *outcome { return m.do(request("GET", target, "")) }

// request is a client's; a key makes a POST repeatable.
func request(method, target, body string) *http.Request {
	return httptest.NewRequest(method, target, strings.NewReader(body))
}

// start has f run beside the test.
func start[T any](f func() T) <-chan T {
	c := make(chan T, 1)
	go func() { c <- f() }()
	return c
}

// fill gives the member n requests that take so long here, and waits until
// its web server has them.
func (m *member) fill(n int, ms int) []<-chan *outcome {
	var all []<-chan *outcome
	for range n {
		all = append(all, start(func() *outcome { return m.get(fmt.Sprint("/fill?ms=", ms)) }))
		synctest.Wait()
	}
	return all
}

// many has n requests served at once.
func (m *member) many(n int, target string) (all []*outcome) {
	var waiting []<-chan *outcome
	for range n {
		waiting = append(waiting, start(func() *outcome { return m.get(target) }))
	}
	for _, w := range waiting {
		all = append(all, <-w)
	}
	return all
}

// readAll reads a body to its end; the error says how it ended.
func readAll(r io.Reader) (string, error) {
	b, err := io.ReadAll(r)
	return string(b), err
}
