package balancer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// isWebsocket says whether r asks to become a websocket: the only upgrade that
// is ever passed on, since any other (h2c) would be a way round every check.
func isWebsocket(r *http.Request) bool {
	upgrade := r.Header["Upgrade"]
	return len(upgrade) == 1 && strings.EqualFold(upgrade[0], "websocket") &&
		r.Method == http.MethodGet && r.ProtoMajor == 1 && r.ProtoMinor == 1 &&
		r.ContentLength == 0 && listHas(r.Header["Connection"], "upgrade")
}

// websocket is the only upgrade that there is, as requests and the events that
// stand for them name it.
const websocket = "websocket"

// upgradeOf is what r is to become; empty: nothing but answered.
func upgradeOf(r *http.Request) string {
	if isWebsocket(r) {
		return websocket
	}
	return ""
}

// checkUpgrade refuses what no request may become, whether a client or a peer
// says so.
func checkUpgrade(out *outgoing) error {
	if out.upgrade != "" && (out.upgrade != websocket || out.method != http.MethodGet || out.body != nil || out.length != 0) {
		return fmt.Errorf("%w: only a GET without a body may upgrade, and only to a websocket", errBadTarget)
	}
	return nil
}

// switched reports whether a web server's answer to out makes a websocket of its
// connection; an error, that it says so unasked.
func switched(out *outgoing, res *http.Response) (bool, error) {
	switch {
	case res.StatusCode != http.StatusSwitchingProtocols:
		return false, nil
	case out.upgrade != websocket || !strings.EqualFold(res.Header.Get("Upgrade"), websocket):
		return false, fmt.Errorf("%w: status 101 and no websocket was asked for", errBadAnswer)
	}
	return true, nil
}

// websockets counts those that are open and ends them. Neither Shutdown nor
// Close of an http.Server knows of them.
type websockets struct {
	ending context.Context // its end ends them
	end    context.CancelFunc

	mu    sync.Mutex
	ended bool // no more may open; guarded by mu
	open  int  // guarded by mu
	wg    sync.WaitGroup
}

func newWebsockets() *websockets {
	s := new(websockets)
	s.ending, s.end = context.WithCancel(context.Background())
	return s
}

// add reports false after close. What it added must call done.
func (s *websockets) add() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.open++
	s.wg.Add(1)
	return true
}

func (s *websockets) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	s.wg.Done()
}

func (s *websockets) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// close ends all of them and returns when their handlers are about to return.
func (s *websockets) close() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.end()
	s.wg.Wait()
}

// errSocket says that a websocket broke off, after it was one.
var errSocket = errors.New("the websocket broke off")

// take makes a client's connection one end of a websocket of which other is the
// other end, with the head that its server answered: end-to-end fields. It
// returns when both have ended, r's context is done, or close is called. An error
// that is errCut or errSocket came after the head; with any other the client has
// seen nothing.
func (s *websockets) take(w http.ResponseWriter, r *http.Request, header http.Header, other side) error {
	if !s.add() {
		return errStopped
	}
	defer s.done()
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("take over the client's connection: %w", err)
	}
	defer client.Close()
	if g, ok := client.(*guarded); ok {
		g.release()
	}
	if err := writeSwitch(client, w.Header(), header); err != nil {
		return fmt.Errorf("%w: %w", errCut, err)
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	defer context.AfterFunc(s.ending, func() { cancel(errStopped) })()
	if err := join(ctx, &connSide{client, io.MultiReader(rest(buffered), client)}, other); err != nil {
		return fmt.Errorf("%w: %w", errSocket, err)
	}
	return nil
}

// socket joins a client with the web server's end of a websocket. How it ended
// is of no interest: both are closed.
func (u *upstream) socket(w http.ResponseWriter, r *http.Request, res *http.Response) error {
	server, err := serverSide(res)
	if err != nil {
		return err
	}
	if err := u.websockets.take(w, r, res.Header, server); !errors.Is(err, errSocket) {
		return err
	}
	return nil
}

// serverSide is the end of a websocket that the web server has.
func serverSide(res *http.Response) (side, error) {
	conn, ok := res.Body.(interface {
		io.Reader
		NetConn() net.Conn
	})
	if !ok {
		return nil, fmt.Errorf("%w: the upgraded connection cannot be written to", errBadAnswer)
	}
	return &connSide{conn.NetConn(), conn}, nil
}

// writeSwitch writes the head that makes the client's connection a websocket.
func writeSwitch(client net.Conn, ours, header http.Header) error {
	mergeHead(ours, header)
	delete(ours, "Content-Length")
	ours["Connection"] = []string{"Upgrade"}
	ours["Upgrade"] = []string{websocket}
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	_ = ours.Write(&head) // a buffer takes everything
	head.WriteString("\r\n")
	if err := client.SetDeadline(time.Time{}); err != nil {
		return err
	}
	_, err := client.Write(head.Bytes())
	return err
}

// rest is what was read from the client together with its request.
func rest(buffered *bufio.ReadWriter) io.Reader {
	return io.LimitReader(buffered.Reader, int64(buffered.Reader.Buffered()))
}
