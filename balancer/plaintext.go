package balancer

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Clients that speak plaintext to a port of TLS, or TLS to one of plaintext, see
// an error of the handshake that says nothing. The first are told; the second
// could not read it, so the log is (front.go).

// faultPlain is what the first are told.
var faultPlain = &fault{http.StatusBadRequest, "plain HTTP came to a port that speaks TLS; use https:// here"}

// answerPlaintext tells the client, and reports true, if err is that of a
// handshake which the client began in HTTP without TLS.
func answerPlaintext(err error) bool {
	wrong, ok := errors.AsType[tls.RecordHeaderError](err)
	if !ok || wrong.Conn == nil {
		return false
	}
	for _, c := range wrong.RecordHeader[:3] { // of a method
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	text := "kecho: " + faultPlain.reason + "\n"
	_, _ = fmt.Fprintf(wrong.Conn, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		faultPlain.status, http.StatusText(faultPlain.status), len(text), text) // who has gone is not told
	linger(wrong.Conn)
	return true
}

// linger gives a client that may still be sending a moment to see its answer,
// before its connection is closed: bytes of its that nobody has read would reset
// it, and with it the answer.
func linger(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // whatever fails, the connection is closed
	}
	_ = conn.SetReadDeadline(time.Now().Add(lingerFor / 2))
	_, _ = io.Copy(io.Discard, conn)
}
