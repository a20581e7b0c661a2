package balancer

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// TestPlaintextOverTLS: who speaks HTTP to a port of TLS is told, in both lanes.
func TestPlaintextOverTLS(t *testing.T) {
	for _, in := range []string{plainGet, "POST / HTTP/1.1\r\nContent-Length: 9999\r\n\r\n" + strings.Repeat("x", 9999), preface, "\x00\x01\x02\x03\x04\x05"} {
		for lane, fast := range map[string]bool{"lane": true, "nethttp": false} {
			synctest.Test(t, func(t *testing.T) {
				_, b := lone(t, serveHTTP(t, http.HandlerFunc(hello)))
				l := serveLanes(t, b, map[bool]*Balancer{true: b}[fast], someCertificate(t))
				out := talk(t, l, in, 1000)
				if told := strings.HasPrefix(out, "HTTP/1.1 400 Bad Request\r\n") && strings.HasSuffix(out, "kecho: "+faultPlain.reason+"\n"); told != (in[0] != 0) {
					t.Errorf("%s: %.20q gets %q", lane, in, out)
				}
			})
		}
	}
}

// TestTLSOverPlaintext: who speaks TLS to a port of plaintext is in the log, with
// what to do.
func TestTLSOverPlaintext(t *testing.T) {
	for lane, fast := range map[string]bool{"lane": true, "nethttp": false} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			c := newCluster(t, 1, func(_ int, cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			b := c.members[0].Balancer
			l := serveLanes(t, b, map[bool]*Balancer{true: b}[fast], nil)
			for range 3 {
				conn := dialed(t, l)
				say(conn, "\x16\x03\x01\x02\x00\x01\x00\x01")
				if out, _ := io.ReadAll(conn); !strings.Contains(string(out), faultTLS.reason) {
					t.Errorf("%s: %q", lane, out)
				}
				_ = conn.Close()
			}
			if n := strings.Count(log.String(), "needs --tls-cert"); n == 0 || n == 3 {
				t.Errorf("%s: %d lines: %s", lane, n, log.String())
			}
		})
	}
}
