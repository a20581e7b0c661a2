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

// becomeWebsocket hands both connections' bytes to each other until one ends
// or r's context is done.
func becomeWebsocket(w http.ResponseWriter, r *http.Request, res *http.Response) error {
	server, ok := res.Body.(io.ReadWriteCloser)
	if !ok {
		return fmt.Errorf("%w: the upgraded connection cannot be written to", errBadAnswer)
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("take over the client's connection: %w", err)
	}
	defer client.Close()
	if g, ok := client.(*guarded); ok {
		g.release()
	}
	stop := context.AfterFunc(r.Context(), func() {
		_ = client.Close() // both closed only to end the copies below
		_ = server.Close()
	})
	defer stop()
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
