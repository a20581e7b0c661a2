package balancer

import (
	"crypto/tls"
	"io"
	"net"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// TestSilentClients: whatever a client says before it falls silent, it is closed
// when its time is over, in both lanes and over TLS.
func TestSilentClients(t *testing.T) {
	hello := clientHello(t)
	settings := "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	for _, c := range []struct {
		name    string
		says    string
		raw     bool // below TLS
		patient time.Duration
	}{
		{"nothing", "", false, headPatience},
		{"a method", "GET", false, headPatience},
		{"half a head", "GET / HTTP/1.1\r\nHost: w", false, headPatience},
		{"half a preface", preface[:10], false, headPatience},
		{"a preface", preface, false, headPatience},
		{"a preface and settings", preface + settings, false, time.Minute},
		{"half a frame", preface + settings + "\x00\x00\x10\x01", false, time.Minute},
		{"a request and no more", "GET / HTTP/1.1\r\nHost: web\r\n\r\n", false, time.Minute},
		{"a request and half a head", "GET / HTTP/1.1\r\nHost: web\r\n\r\nGET / HT", false, time.Minute},
		{"nothing of a handshake", "", true, headPatience},
		{"half a handshake", hello[:len(hello)/2], true, headPatience},
		{"half of a handshake's messages", hello, true, headPatience},
	} {
		for _, over := range []string{"plaintext", "TLS"} {
			if c.raw && over != "TLS" {
				continue
			}
			inLanes(t, over+" "+c.name, func(t *testing.T, fast bool) {
				synctest.Test(t, func(t *testing.T) {
					x := newPatient(t, fast, serveRaw(t, serveFine))
					lane := x.b
					if !fast {
						lane = nil
					}
					var certificate *Certificate
					if over == "TLS" {
						certificate = someCertificate(t)
					}
					front := serveLanes(t, x.b, lane, certificate)
					if c.raw {
						over = "plaintext"
					}
					conn := dialFront(t, front, over)
					defer conn.Close()
					start := time.Now()
					go func() { _, _ = io.WriteString(conn, c.says) }()
					_ = conn.SetReadDeadline(start.Add(time.Hour))
					_, err := io.Copy(io.Discard, conn)
					if late, ok := err.(net.Error); ok && late.Timeout() {
						t.Fatal("it is not closed")
					}
					if took := time.Since(start); took > c.patient+3*time.Second {
						t.Errorf("it is closed after %v, want %v", took, c.patient)
					}
				})
			})
		}
	}
}

// someCertificate is one that nobody needs to trust.
func someCertificate(t *testing.T) *Certificate {
	t.Helper()
	dir := t.TempDir()
	writePair(t, dir, "web")
	c, err := LoadCertificate(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// clientHello is how a TLS client begins.
func clientHello(t *testing.T) string {
	t.Helper()
	near, far := net.Pipe()
	defer far.Close()
	go func() {
		_ = tls.Client(near, &tls.Config{InsecureSkipVerify: true}).Handshake() // it fails
		_ = near.Close()
	}()
	p := make([]byte, 16<<10)
	n, err := far.Read(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(p[:n])
}
