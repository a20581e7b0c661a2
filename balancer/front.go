package balancer

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"kecho/balancer/policy"
	"kecho/channel"
)

// job is one client's request on its way. It is owned by its handler's
// goroutine.
type job struct {
	w        recorder
	r        *http.Request
	header   http.Header // for the web server or a peer; nil once given away
	ticket   ticket
	payload  payload
	start    time.Time
	deadline time.Time // for the head of the answer
	// repeatable says that the request may reach two servers: by its method
	// (RFC 9110 §9.2.2) or by an Idempotency-Key.
	repeatable bool
	// looped says that it came through this node before: it may not wait here
	// for a place that it may itself hold.
	looped     bool
	avoid      []channel.NodeID // peers that were asked
	route      Route
	target     string // path and query as the client sent them
	trouble    string // what happened to it last, for the log
	lost       bool   // a peer or the web server may have begun it
	repeats    int    // how often it was begun again
	overflowed bool   // it was counted as one that found no place here
	unwanted   bool   // it was counted as one that no peer took
}

// maxRepeats is how often a request is begun again after a loss
// (docs/design.md, "Limits": 2 beyond the first), so that one that kills servers does
// not kill them all.
const maxRepeats = 2

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
	j := &job{w: recorder{ResponseWriter: w}, r: r, start: time.Now(), route: RouteRejected}
	defer b.observe(j)
	if status, reason, refused := refusal(r); refused {
		refuse(&j.w, status, 0, reason)
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
	if err := validRequestLine(&outgoing{method: r.Method, target: j.target, host: r.Host, header: r.Header}); err != nil {
		refuse(&j.w, http.StatusBadRequest, 0, err.Error()) // here, or each peer would fail with it
		return
	}
	j.deadline = j.start.Add(b.cfg.Timeout)
	j.header = b.rewriter.outbound(r)
	w.Header()["Via"] = []string{b.rewriter.via(1, 1)}
	r.Header["X-Request-Id"] = j.header["X-Request-Id"] // a second try keeps it
	w.Header()["X-Request-Id"] = j.header["X-Request-Id"]
	j.payload = payload{rest: patientBody(w, r), length: r.ContentLength, budget: &b.replay}
	defer j.payload.release()
	j.repeatable = isRepeatable(r)
	j.ticket.Movable = b.data != nil && !j.looped && !isWebsocket(r)
	b.budgetMu.Lock()
	b.budget.Earn(b.gate.now())
	b.budgetMu.Unlock()
	if j.repeatable && j.ticket.Movable {
		if err := j.keep(); err != nil { // before it has a place, so that a slow client holds none
			b.giveUp(j, err)
			return
		}
	}
	switch v, err := b.gate.enter(j); {
	case err != nil:
		b.giveUp(j, err)
	case j.looped && v != policy.Start:
		b.refuseLoop(j)
	default:
		b.carry(j, v)
	}
}

func (b *Balancer) refuseLoop(j *job) {
	refuse(&j.w, http.StatusLoopDetected, 0, "the request came through this agent before: the web server behind it sends requests back; correct its --upstream")
}

// carry does what the gate says until the request is answered.
func (b *Balancer) carry(j *job, v policy.Verdict) {
	for {
		var done bool
		switch v {
		case policy.Start:
			done = b.local(j)
		case policy.Overflow:
			done = b.forward(j)
		case policy.Shed:
			b.count.shed.Add(1)
			refuse(&j.w, http.StatusServiceUnavailable, b.retryAfter(), "too many requests wait here and no peer has room; try again later")
			return
		default:
			b.fail(j)
			return
		}
		if done {
			return
		}
		var err error
		if v, err = b.gate.back(j); err != nil {
			b.giveUp(j, err)
			return
		}
	}
}

// local has this node's web server answer; the place at the gate is given
// back. It reports false when the request can still be answered: nothing was
// begun, or it may be begun again.
func (b *Balancer) local(j *job) bool {
	defer b.gate.finish()
	j.route = RouteLocal
	header := j.header
	if header == nil {
		header = b.rewriter.outbound(j.r)
	}
	j.header = nil
	err := b.upstream.serve(&j.w, j.r, &outgoing{header: header, body: j.payload.reader(), length: j.payload.length, answerBy: j.answerBy()})
	switch {
	case err == nil:
		return true
	case errors.Is(err, errCut) || j.w.status >= 200:
		b.broken(j, "answer of the web server", err)
	case errors.Is(err, errUpload) || errors.Is(err, errStopped) || j.r.Context().Err() != nil:
		b.giveUp(j, err)
		return true
	case errors.Is(err, errUpstreamTimeout):
		b.giveUp(j, errTimeout)
		return true
	}
	j.trouble = err.Error()
	if errors.Is(err, errUpstreamDown) {
		j.payload.begun = false // nothing was sent, so nothing was read
		return false
	}
	j.lost = true
	if b.mayRepeat(j) {
		b.lines.repeated.log(b.log, slog.LevelInfo, "a request that the web server lost is begun again", "method", j.r.Method, "err", err)
		return false
	}
	b.fail(j)
	return true
}

// mayRepeat says whether a request that may have been begun somewhere can be
// begun elsewhere too, and takes that from the budget.
func (b *Balancer) mayRepeat(j *job) bool {
	if !j.repeatable || j.repeats == maxRepeats || !j.payload.fresh() || !b.spend(1) {
		return false
	}
	j.repeats++
	b.count.retries.Add(1)
	return true
}

// spend takes n extra copies from the budget, if there is room for them.
func (b *Balancer) spend(n int) bool {
	b.budgetMu.Lock()
	defer b.budgetMu.Unlock()
	return b.budget.Spend(b.gate.now(), n)
}

// fail answers that nobody could serve the request.
func (b *Balancer) fail(j *job) {
	j.route = RouteRejected
	message := "the web server cannot be reached and no peer could take the request"
	switch {
	case j.lost && j.repeatable:
		message = "the server that worked on the request was lost, and no other could take it"
	case j.lost:
		message = "the server that worked on the request was lost, and it may not be repeated"
	case isWebsocket(j.r):
		message = "the web server cannot be reached, and a websocket is not taken to peers"
	}
	b.lines.unserved.log(b.log, slog.LevelWarn, "a request was not served", "method", j.r.Method, "why", cmp.Or(j.trouble, message))
	refuse(&j.w, http.StatusBadGateway, 0, message)
}

// giveUp ends a request whose client is gone or whose time is over.
func (b *Balancer) giveUp(j *job, err error) {
	j.route = RouteRejected
	fault := faultOf(j.r, err)
	switch {
	case fault != nil:
		refuse(&j.w, fault.status, 0, fault.reason)
	case errors.Is(err, errTimeout):
		b.count.timeouts.Add(1)
		refuse(&j.w, http.StatusGatewayTimeout, b.retryAfter(), "no server had time for the request")
	case errors.Is(err, errUpload) && j.r.Context().Err() == nil:
		refuse(&j.w, http.StatusBadRequest, 0, "the request's body broke off or is malformed")
	case errors.Is(err, errStopped):
		refuse(&j.w, http.StatusServiceUnavailable, b.retryAfter(), "the agent stops; try again")
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

// retryAfter is 1 to 3 s, so that those who were refused together do not come
// back together.
func (b *Balancer) retryAfter() time.Duration {
	return time.Second + time.Duration(b.count.shed.Load()%3)*time.Second
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

// keep is payload.keep. What it takes is the client's time: the servers have
// theirs after it.
func (j *job) keep() error {
	began := time.Now()
	err := j.payload.keep()
	j.deadline = j.deadline.Add(time.Since(began))
	return err
}

// waiting is a context for what comes before the head of the answer.
func (j *job) waiting() (context.Context, context.CancelFunc) {
	return context.WithDeadlineCause(j.r.Context(), j.deadline, errTimeout)
}

// answerBy is when the local answer must begin: a body that is still being sent
// takes as long as it takes, and the web server has its time after that.
func (j *job) answerBy() time.Time {
	if j.payload.kept() || j.payload.length == 0 {
		return j.deadline
	}
	return time.Time{}
}

// isRepeatable says whether a request may be sent to a second server after it
// was begun by a first.
func isRepeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return r.Header.Get("Idempotency-Key") != ""
}
