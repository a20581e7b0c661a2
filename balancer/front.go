package balancer

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"kecho/balancer/policy"
)

// job is one client's request on its way. It is owned by its handler's
// goroutine.
type job struct {
	w        recorder
	r        *http.Request
	header   http.Header // for the web server or a peer; nil once given away
	payload  payload
	start    time.Time
	deadline time.Time // for the head of the answer
	promised time.Time // it is not later than this, whatever is sent meanwhile: the client says so; zero: it does not
	// looped says that it came through this node before: it may not wait here
	// for a place that it may itself hold.
	looped  bool
	over    bool // it is answered, or nobody waits any more
	route   Route
	target  string // path and query as the client sent them
	trouble string // what happened to it last, for the log
	lost    bool   // a peer or the web server may have begun it
	settled bool   // the core is done with it
	// repeated says that it was logged that it is begun again.
	repeated bool
	// brief says that it had a place here at once and was over with it: nobody
	// else knows of it.
	brief   bool
	call    *call     // the try that peers have; nil: none has it
	lane    *laneConn // whose buffer the request is in, and w and r are not there; nil: they are
	here    *here     // what the web server does beside; nil: nothing
	ctx     context.Context
	release func() // ends ctx

	request policy.Request  // guarded by desk.mu
	orders  []policy.Effect // guarded by desk.mu
	closed  bool            // no answer of the web server is wanted; guarded by desk.mu
	told    chan struct{}   // one token: there are orders; nil: nobody waits for one; guarded by desk.mu
	asked   bool            // it was to go to peers; guarded by desk.mu
	given   bool            // it went, or it is known that none took it; guarded by desk.mu
}

// jobs are free, as new ones are but for room for orders.
var jobs = sync.Pool{New: func() any { return new(job) }}

// end is the last that is done for a request.
func (b *Balancer) end(j *job) {
	b.observe(j)
	if j.brief {
		*j = job{orders: j.orders[:0]}
		jobs.Put(j)
	}
}

// recorder is the client's ResponseWriter; it knows whether and what it was
// answered.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if w.status < 200 { // informational ones may come before
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Hijack implements http.Hijacker: the request becomes a websocket.
func (w *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.status = http.StatusSwitchingProtocols
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// ServeHTTP answers a client's request: from the local web server while there
// is room, else from a peer. It blocks until the answer is written. An answer
// that breaks off after its head ends with http.ErrAbortHandler, which closes
// the client's connection: the only way to say that it is not whole.
func (b *Balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if name, values := b.announces(); values != nil {
		w.Header()[name] = values
	}
	if b.cfg.Handler != nil && b.serveAtOnce(w, r) {
		return
	}
	j := jobs.Get().(*job)
	j.w.ResponseWriter, j.r, j.start, j.route = w, r, time.Now(), RouteRejected
	defer b.end(j)
	if !begun(w, r) {
		b.count.abandoned.Add(1)
		panic(http.ErrAbortHandler)
	}
	if status, reason, refused := refusal(r); refused {
		b.refuseFaulty(j, status, reason)
		return
	}
	if r.Method == http.MethodConnect {
		refuse(&j.w, http.StatusMethodNotAllowed, 0, "CONNECT is not served: this is a web server's front, not a proxy to elsewhere")
		return
	}
	seen := loops(r.Header, b.cfg.Name)
	if seen > 1 {
		b.refuseLoop(j)
		return
	}
	j.looped = seen > 0
	j.target = targetOf(r)
	if isWebsocket(r) && b.upstream.origin.HTTP2 {
		refuse(&j.w, http.StatusNotImplemented, 0, "the web server speaks HTTP/2, where no websocket goes; give its agent an --upstream of HTTP/1.1")
		return
	}
	if err := validRequestLine(&outgoing{method: r.Method, target: j.target, host: r.Host, header: r.Header}); err != nil {
		refuse(&j.w, http.StatusBadRequest, 0, err.Error()) // here, or each peer would fail with it
		return
	}
	j.deadline = j.start.Add(b.cfg.Timeout)
	if left, said := b.deadlines.left(r.Header); said {
		j.promised = j.start.Add(left)
		j.deadline = earlier(j.deadline, j.promised)
	}
	b.introduce(j)
	j.payload = payload{rest: patientBody(w, r), length: r.ContentLength, budget: &b.replay}
	defer j.payload.release()
	movable := b.data != nil && !j.looped
	if movable && (isRepeatable(r) || r.Header["Expect"] == nil) {
		if err := j.keep(); err != nil { // before it has a place, so that a slow client holds none
			b.giveUp(j, err)
			return
		}
	}
	if !time.Now().Before(j.deadline) {
		b.giveUp(j, errTimeout)
		return
	}
	b.register(j, movable)
	b.carry(j)
}

// introduce makes the fields that go out with the request, and those of its
// answer that are this node's.
func (b *Balancer) introduce(j *job) {
	j.header = b.rewriter.outbound(j.r)
	ours := j.w.Header()
	ours["Via"] = b.rewriter.ours
	j.r.Header["X-Request-Id"] = j.header["X-Request-Id"] // a second try keeps it
	ours["X-Request-Id"] = j.header["X-Request-Id"]
}

// maxLight is how large a body may be that travels with an offer.
const maxLight = 16 << 10

// headBytes is about what the head of a request takes in memory.
const headBytes = 2 << 10

// register fills in what the core is told of the request.
func (b *Balancer) register(j *job, movable bool) {
	whole := j.payload.kept()
	j.request = policy.Request{
		Movable: movable, Repeatable: whole && isRepeatable(j.r), Large: !whole && j.payload.length != 0,
		Light: whole && len(j.payload.whole) <= maxLight,
		Bytes: int64(len(j.payload.whole)) + headBytes, Timeout: time.Until(j.deadline), Data: j,
	}
	b.rank(j, j.r.Header["Priority"])
}

// rank says how urgent a request is, by its Priority fields, and gives it a
// number.
func (b *Balancer) rank(j *job, priority []string) {
	if !b.cfg.IgnorePriority {
		j.request.Class = urgencyOf(priority)
	}
	if b.data != nil {
		j.request.Number = b.data.NextID().Seq
	}
}

// announces is the field that every answer to a client has, if there is one.
func (b *Balancer) announces() (name string, values []string) {
	if b.cfg.Announce == nil {
		return "", nil
	}
	return b.cfg.Announce()
}

func (b *Balancer) refuseLoop(j *job) {
	refuse(&j.w, http.StatusLoopDetected, 0, "the request came through this agent before: the web server behind it sends requests back; correct its --upstream")
}

// refuseFaulty answers what is malformed. A client that speaks TLS cannot read
// that, so the log has it.
func (b *Balancer) refuseFaulty(j *job, status int, reason string) {
	if reason == faultTLS.reason {
		b.lines.encrypted.log(b.log, slog.LevelWarn, "a client speaks TLS to --listen, which is plaintext: it is to use http://, or this agent needs --tls-cert and --tls-key", "address", j.r.RemoteAddr)
	}
	refuse(&j.w, status, 0, reason)
}

// fail answers that nobody could serve the request.
func (b *Balancer) fail(j *job) {
	j.route, j.over = RouteRejected, true
	message := "the web server cannot be reached and no peer could take the request"
	switch {
	case j.lost && j.request.Repeatable:
		message = "the server that worked on the request was lost, and no other could take it"
	case j.lost:
		message = "the server that worked on the request was lost, and it may not be repeated"
	}
	b.lines.unserved.log(b.log, slog.LevelWarn, "a request was not served", "method", j.r.Method, "why", cmp.Or(j.trouble, message))
	refuse(&j.w, http.StatusBadGateway, 0, message)
}

// giveUp ends a request whose client is gone or whose time is over.
func (b *Balancer) giveUp(j *job, err error) {
	j.route, j.over = RouteRejected, true
	fault := faultOf(j.r, err)
	switch {
	case fault != nil:
		refuse(&j.w, fault.status, 0, fault.reason)
	case errors.Is(err, errTimeout):
		b.count.timeouts.Add(1)
		refuse(&j.w, http.StatusGatewayTimeout, 0, "no server had time for the request") // with as little time again it would be as late
	case errors.Is(err, errUpload) && j.r.Context().Err() == nil:
		refuse(&j.w, http.StatusBadRequest, 0, "the request's body broke off or is malformed")
	case errors.Is(err, errStopped):
		refuse(&j.w, http.StatusServiceUnavailable, b.retryAfter(0), "the agent stops; try again")
	default:
		b.count.abandoned.Add(1)
		panic(http.ErrAbortHandler) // nobody listens
	}
}

// broken ends an answer that cannot be finished.
func (b *Balancer) broken(j *job, what string, err error) {
	if j.r.Context().Err() == nil {
		b.lines.broken.log(b.log, slog.LevelWarn, "an "+what+" broke off", "method", j.r.Method, "err", err)
	}
	panic(http.ErrAbortHandler)
}

// retryAfter is when a client that is refused is to come again, when what waits
// here takes so long to go.
func (b *Balancer) retryAfter(drain time.Duration) time.Duration {
	return policy.RetryAfter(drain, rand.Float64())
}

func (b *Balancer) observe(j *job) {
	status := j.w.status
	if status == 0 {
		status = 499 // the client was gone before there was an answer
	}
	b.count.route(j.route)
	if b.cfg.Observe != nil {
		b.cfg.Observe(j.route, status, time.Since(j.start))
	}
}

// earlier is the earlier of two deadlines; that of zero is never.
func earlier(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) && !a.IsZero() {
		return a
	}
	return b
}

// keep is payload.keep. What it takes is the client's time: the servers have
// theirs after it, if the client waits as long.
func (j *job) keep() error {
	began := time.Now()
	err := j.payload.keep()
	j.deadline = earlier(j.deadline.Add(time.Since(began)), j.promised)
	if j.payload.kept() { // its client was asked for it already
		delete(j.r.Header, "Expect")
		delete(j.header, "Expect")
	}
	return err
}

// await has the request's goroutine wait no longer than ctx, which release ends;
// nil: until the deadline.
func (j *job) await(ctx context.Context, release func()) {
	j.awaitNothing()
	j.ctx, j.release = ctx, release
}

// awaitNothing lets go of what the goroutine waits by.
func (j *job) awaitNothing() {
	if j.release != nil {
		j.release()
	}
	j.ctx, j.release = nil, nil
}

// waiting is how long the request's goroutine waits for what comes before the
// head of the answer.
func (j *job) waiting() context.Context {
	if j.ctx == nil {
		ctx, cancel := context.WithDeadlineCause(j.r.Context(), j.deadline, errTimeout)
		j.await(ctx, cancel)
	}
	return j.ctx
}

// answerBy is when the local answer must begin: a body that is still being sent
// takes as long as it takes, unless the client says how long it waits, and the
// web server has its time after that.
func (j *job) answerBy() time.Time {
	if j.payload.kept() || j.payload.length == 0 {
		return j.deadline
	}
	return j.promised
}

// isRepeatable says whether a request may be sent to a second server after it
// was begun by a first. A websocket is a conversation, whatever its method.
func isRepeatable(r *http.Request) bool {
	return !isWebsocket(r) && (idempotent(r.Method) || r.Header.Get("Idempotency-Key") != "")
}

// idempotent says whether a method is (RFC 9110 §9.2.2).
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}
