package balancer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"kecho/balancer/h1"
	"kecho/balancer/policy"
	"kecho/channel"
	"kecho/filters"
)

// Config is what a Balancer is made of.
type Config struct {
	// Name is this node's, for Via and Proxy-Status. Required.
	Name string
	// Upstream is the web server, as ParseOrigin reads it. Required, unless there
	// is a Handler.
	Upstream string
	// Handler is the web server where that is this program: what has a place here
	// is served by it, with the client's own ResponseWriter and Request, and what
	// peers send too, with all of a ResponseWriter but deadlines. Run ends when
	// the last of its calls for peers has returned; their contexts end then. Nil:
	// the web server is Upstream.
	Handler http.Handler
	// Dial makes the connections to it. Nil: the system's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Health is how it is found out that the web server cannot serve.
	Health Health
	// KeepAlive is which connections to the web server are kept.
	KeepAlive KeepAlive
	// Data is the channel that overflow goes by. The balancer sets its
	// filters. Nil: there are no peers.
	Data *channel.Channel
	// Policy is the core's configuration; it must pass its Check. Its Timeout,
	// Silence and PerPeer are those below.
	Policy policy.Config
	// Zone is this node's; peers of the same are preferred. Zero: it is in none.
	Zone string
	// Timeout is how long a request may take, from its arrival, until the head
	// of its answer. A body that is still being sent extends it: it counts from
	// the body's last byte then. Zero: 30 s.
	Timeout time.Duration
	// DeadlineHeader is a field of requests in which clients say how long they
	// wait for the head of the answer, in milliseconds or with a unit; the least
	// of that, of grpc-timeout and of Timeout counts, and what is left of it
	// travels on. Zero: none.
	DeadlineHeader string
	// IgnorePriority has the clients' Priority header (RFC 9218) play no part.
	IgnorePriority bool
	// Silence is how long an asked peer may say nothing before a request that
	// may be repeated is tried elsewhere. Zero: 500 ms.
	Silence time.Duration
	// Stall is how long the owner of a request that is served here may neither
	// send of its body nor read of the answer's before it is given up, so that
	// an owner which lost interest does not hold a place. An answer that has
	// nothing to say may be quiet for any time. Zero: 30 s.
	Stall time.Duration
	// PerPeer is how many exchanges there may be with one peer in each
	// direction. Zero: 128.
	PerPeer int
	// Trust are the addresses of proxies whose X-Forwarded-* and Forwarded are
	// continued; everybody else's are replaced. Nil: nobody's.
	Trust []netip.Prefix
	// RTT is the round trip to a peer, as its link measures it; 0: not known.
	// Nil: no round trip to speak of.
	RTT func(peer channel.NodeID) time.Duration
	// Load, when set, is called with the end-to-end fields of each final answer
	// of the web server, also to a peer's request, and may take some out. It
	// must not block.
	Load func(header http.Header)
	// LoadHeader, when set, is the only field that Load reads or takes out, in
	// canonical form: an answer without it need not be made a header for Load.
	LoadHeader string
	// Announce, when set, is a field that each answer to a client has, in
	// canonical form, whatever the web server says; no values: none. It must not
	// block, and its values are not written to.
	Announce func() (name string, values []string)
	// Observe, when set, is called once for each request that was answered
	// here or for a peer. It must not block.
	Observe func(route Route, status int, took time.Duration)
	// Logger gets what goes wrong. Nil: nothing is logged.
	Logger *slog.Logger
}

// Route says which way a request took.
type Route string

// The routes.
const (
	RouteLocal     Route = "local"     // served by this node's web server
	RouteForwarded Route = "forwarded" // served by a peer
	RouteReceived  Route = "received"  // served here for a peer
	RouteRejected  Route = "rejected"  // answered by the agent itself
)

// Balancer is the front of one web server: an http.Handler that serves what
// the web server can take and has peers serve the rest. See the package's
// documentation.
type Balancer struct {
	cfg        Config
	log        *slog.Logger
	upstream   *upstream
	bytes      *h1.Client // of upstream, if answers may be passed on as bytes
	rewriter   *rewriter
	deadlines  deadlines
	desk       *desk
	offerRules rules // of the operator
	data       *channel.Channel
	self       channel.NodeID // zero without a channel
	calls      *calls
	chosen     *filters.Chosen
	first      *filters.FirstAnswer
	exchanges  *exchanges
	replay     replayBudget
	count      counters
	lines      lines
	wg         sync.WaitGroup // what serves peers
	base       context.Context
	stop       context.CancelCauseFunc
}

// New checks cfg and starts nothing. Before and after Run requests are served
// here or not at all: no peer is asked, and none is served.
func New(cfg Config) (*Balancer, error) {
	if err := cfg.Policy.Check(); err != nil {
		return nil, fmt.Errorf("balancer: %w", err)
	}
	if cfg.Name == "" {
		return nil, errors.New("balancer: the node has no name")
	}
	setDefault(&cfg.Timeout, 30*time.Second)
	setDefault(&cfg.Silence, 500*time.Millisecond)
	setDefault(&cfg.Stall, 30*time.Second)
	setDefault(&cfg.PerPeer, 128)
	setDefault(&cfg.KeepAlive.Idle, max(cfg.Policy.Places, cfg.Policy.Hard, cfg.Policy.MaxPlaces))
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Balancer{
		cfg: cfg, log: cfg.Logger, data: cfg.Data,
		rewriter:  newRewriter(cfg.Name, cfg.Trust),
		deadlines: newDeadlines(cfg.DeadlineHeader),
		calls:     newCalls(),
		chosen:    filters.NewChosen(filters.ChosenConfig{}),
		first:     filters.NewFirstAnswer(filters.FirstAnswerConfig{Heads: []channel.Type{typeAnswer}, Parts: []channel.Type{typeAnswerBody}}),
	}
	b.exchanges = newExchanges(b.serve)
	if cfg.Data != nil {
		b.self = cfg.Data.NextID().Source
	}
	cfg.Policy.Timeout, cfg.Policy.Silence, cfg.Policy.PerPeer = cfg.Timeout, cfg.Silence, cfg.PerPeer
	b.desk = newDesk(cfg.Policy, cfg.Zone)
	b.desk.errands, b.desk.rtt = b.runErrands, cfg.RTT
	b.base, b.stop = context.WithCancelCause(context.Background())
	var err error
	b.upstream, err = newUpstream(upstreamConfig{
		URL: cfg.Upstream, Handler: cfg.Handler, Dial: cfg.Dial, HeaderTimeout: cfg.Timeout,
		KeepAlive: cfg.KeepAlive, Changed: b.desk.setUp, Health: cfg.Health, Sick: b.desk.isSick, Log: cfg.Logger, Load: cfg.Load,
	})
	if err != nil {
		return nil, err
	}
	b.desk.turned = b.upstream.health.turned
	if cfg.Load == nil || cfg.LoadHeader != "" {
		b.bytes = b.upstream.bytes
	}
	return b, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Causes of what ends before its time.
var (
	errLost     = errors.New("the link to the peer went down")
	errStopped  = errors.New("the agent stopped")
	errTimeout  = errors.New("no answer in time")
	errCanceled = errors.New("nobody waits for the answer any more")
)

// Run serves peers, probes the web server and lets the queue move, until ctx
// is done; then requests that are still being served for peers are cut off.
// It is called once.
func (b *Balancer) Run(ctx context.Context) error {
	if b.data != nil {
		leave, err := b.join()
		if err != nil {
			return fmt.Errorf("balancer: %w", err)
		}
		defer leave()
	}
	var wg sync.WaitGroup
	wg.Go(func() { b.desk.run(ctx) })
	wg.Go(func() { b.upstream.run(ctx) })
	<-ctx.Done()
	b.calls.stop()
	all := b.exchanges.close()
	b.stop(errStopped)
	for _, x := range all {
		x.cancel(errStopped)
		b.sendHome(x)
	}
	wg.Wait()
	b.wg.Wait()
	b.upstream.client.CloseIdle() // those of the last exchanges
	return nil
}

// Drain says that peers' requests are refused from now on. Those that are
// being served go on, and so do this node's own.
func (b *Balancer) Drain() { b.desk.drain() }

// SetOverflow says whether this server has too much to do although it has
// places. While it has, requests that may move go to peers that have room, and
// are served here only when none has; no peer's requests are taken. It does
// not block.
func (b *Balancer) SetOverflow(raised bool) { b.desk.setOverflow(raised) }

// Hear notes what a peer says of itself, elsewhere than on the data channel. It
// does not block.
func (b *Balancer) Hear(peer channel.NodeID, attrs channel.Attrs) { b.desk.hear(peer, attrs) }

// Describe appends what peers need to know of this node: its load, its
// capacity, how long its web server takes, and whether it is draining. It is
// meant for Node.DescribeFunc.
func (b *Balancer) Describe(attrs channel.Attrs) channel.Attrs {
	r, draining := b.desk.report()
	attrs = append(attrs, filters.Load.Of(r.Load), filters.Capacity.Of(int64(r.Places)), filters.Service.Of(r.Service.Seconds()))
	if draining {
		attrs = append(attrs, filters.Draining.Of(true))
	}
	return attrs
}

// join puts the balancer's filters and handlers on the data channel.
func (b *Balancer) join() (func(), error) {
	b.data.SetOut(b.outFilter())
	b.data.SetIn(b.inFilter())
	handlers := map[channel.Type]channel.Handler{
		typeOffer: b.onOffer, typeWithdraw: b.onWithdraw, typeClaim: b.onClaim, typeQueued: b.onQueued,
		typeBegun: b.onBegun, typeHint: b.onHint, typeTaken: b.onTaken, typeBusy: b.onBusy, typeRead: b.onRead,
		typeAnswer: b.onAnswer, typeAnswerBody: b.onAnswerBody, typeFailed: b.onFailed,
		typeRequest: b.onRequest, typeRequestBody: b.onRequestBody,
		typeCredit: b.onCredit, typeCancel: b.onCancel,
	}
	var subs []*channel.Subscription
	leave := func() {
		for _, s := range subs {
			s.Close()
		}
	}
	for typ, handler := range handlers {
		s, err := b.data.SubscribeInline(channel.Match{Type: typ}, handler)
		if err != nil {
			leave()
			return nil, err
		}
		subs = append(subs, s)
	}
	stop := b.data.Watch(func(s channel.Sink, present bool) {
		if !present { // who waits for it learns why before the core has it do something else
			b.calls.gone(s.Node)
			b.exchanges.gone(s.Node)
		}
		b.desk.met(s, present)
	})
	b.calls.start()
	return func() { stop(); leave(); b.desk.alone() }, nil
}
