package balancer

import (
	"bufio"
	"bytes"
	"context"
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

// take hands both connections' bytes to each other until one ends, r's context
// is done, or close is called.
func (s *websockets) take(w http.ResponseWriter, r *http.Request, res *http.Response) error {
	server, ok := res.Body.(io.ReadWriteCloser)
	if !ok {
		return fmt.Errorf("%w: the upgraded connection cannot be written to", errBadAnswer)
	}
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
	both := func() {
		_ = client.Close() // both closed only to end the copies below
		_ = server.Close()
	}
	defer context.AfterFunc(s.ending, both)()
	defer context.AfterFunc(r.Context(), both)()
	if err := writeSwitch(client, w.Header(), res.Header); err != nil {
		return fmt.Errorf("%w: %w", errCut, err)
	}
	var down sync.WaitGroup
	down.Go(func() {
		relay(client, server)
		_ = client.Close()
	})
	relay(server, io.MultiReader(rest(buffered), client))
	_ = server.Close()
	down.Wait()
	return nil
}

// writeSwitch writes the head that makes the client's connection a websocket.
func writeSwitch(client net.Conn, ours, header http.Header) error {
	inbound(header)
	mergeHead(ours, header)
	delete(ours, "Content-Length")
	ours["Connection"] = []string{"Upgrade"}
	ours["Upgrade"] = []string{"websocket"}
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

// relay copies until either side fails; how is of no interest, since both are
// closed then.
func relay(to io.Writer, from io.Reader) {
	buf := buffers.Get().(*[copySize]byte)
	defer buffers.Put(buf)
	_, _ = io.CopyBuffer(struct{ io.Writer }{to}, from, buf[:])
}
