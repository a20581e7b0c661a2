package balancer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestEncryptedUpstream: a web server behind https is spoken to in HTTP/1.1, on
// connections that are kept, and one that shows another's certificate is taken
// for down: nothing is sent to it.
func TestEncryptedUpstream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		certificate, roots := selfSigned(t, "web")
		protocols, served := make(chan string, 1), 0
		l := serveRawTLS(t, certificate, func(c *tls.Conn) {
			for readHead(c) != "" {
				protocols <- c.ConnectionState().NegotiatedProtocol
				served++
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
			}
		})
		u := newTestUpstream(t, "https://web", l)
		u.tls.RootCAs = roots
		for range 2 {
			res, err := u.roundTrip(t.Context(), &outgoing{method: "GET", target: "/", header: http.Header{}})
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if _ = res.Body.Close(); string(body) != "hello" || err != nil || <-protocols != "http/1.1" {
				t.Errorf("%q, %v", body, err)
			}
		}
		other := newTestUpstream(t, "https://elsewhere", l)
		other.tls.RootCAs = roots
		_, err := other.roundTrip(t.Context(), &outgoing{method: "GET", target: "/", header: http.Header{}})
		if wrong := (x509.HostnameError{}); !errors.Is(err, errUpstreamDown) || !errors.As(err, &wrong) || other.up() || served != 2 {
			t.Errorf("%v, up %v, %d served", err, other.up(), served)
		}
	})
}

// TestNegotiation: a web server that does not speak what its URL says is not
// used, and the error says what to write instead.
func TestNegotiation(t *testing.T) {
	for _, c := range []struct {
		url   string
		speak []string
		want  string
	}{
		{"https://web", []string{"other"}, "give it as h2://"}, // Go has an exception for "h2"
		{"https://web", []string{"h2", "http/1.1"}, ""},
		{"https://web", nil, ""},
		{"h2://web", []string{"http/1.1"}, "give it as https://"},
		{"h2://web", nil, "give it as https://"},
		{"h2://web", []string{"http/1.1", "h2"}, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			certificate, roots := selfSigned(t, "web")
			l := newPipes()
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						defer conn.Close()
						server := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: c.speak})
						_, _ = server.Read(make([]byte, 1))
					}()
				}
			}()
			defer l.Close()
			u := newTestUpstream(t, c.url, l)
			u.tls.RootCAs = roots
			conn, err := u.dialOnce(t.Context())
			if err == nil {
				_ = conn.Close()
			}
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(u.health.now().Why, c.want) {
				t.Errorf("%s of one that speaks %q: %v; want %q", c.url, c.speak, err, c.want)
			}
		})
	}
}

// newTestUpstream is the upstream url, dialled at l.
func newTestUpstream(t *testing.T, url string, l *pipes) *upstream {
	t.Helper()
	u, err := newUpstream(upstreamConfig{URL: url, Dial: l.dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.client.CloseIdle)
	return u
}

// serveRawTLS hands each connection to serve.
func serveRawTLS(t *testing.T, certificate tls.Certificate, serve func(*tls.Conn)) *pipes {
	t.Helper()
	l := newPipes()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}}))
			}()
		}
	}()
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// selfSigned is a certificate for name, and the roots that it is good for.
func selfSigned(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
