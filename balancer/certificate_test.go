package balancer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// writePair writes what selfSigned made for name as PEM files in dir.
func writePair(t *testing.T, dir, name string) *x509.CertPool {
	t.Helper()
	pair, roots := selfSigned(t, name)
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "key.pem": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return roots
}

func names(t *testing.T, c *Certificate) []string {
	t.Helper()
	pair, err := c.get(nil)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf.DNSNames
}

// TestCertificateIsReadAgain: a new pair is used from then on, and one that is
// no good leaves the old one.
func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	synctest.Test(t, func(t *testing.T) {
		if _, err := LoadCertificate(certFile, keyFile, nil); err == nil || !strings.Contains(err.Error(), certFile) {
			t.Errorf("without files: %v", err)
		}
		writePair(t, dir, "one")
		c, err := LoadCertificate(certFile, keyFile, nil)
		if err != nil {
			t.Fatal(err)
		}
		// The file system's clock is not the bubble's: sizes differ instead.
		writePair(t, dir, "another")
		if got := names(t, c); got[0] != "one" {
			t.Errorf("%v before a second has passed", got)
		}
		time.Sleep(lookEvery)
		if got := names(t, c); got[0] != "another" {
			t.Errorf("%v is used, and another was there", got)
		}
		if err := os.WriteFile(keyFile, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookEvery)
		if got := names(t, c); got[0] != "another" {
			t.Errorf("%v after a broken file", got)
		}
		time.Sleep(2 * time.Hour)
		writePair(t, dir, "third")
		if got := names(t, c); got[0] != "third" {
			t.Errorf("%v after the files were mended", got)
		}
	})
}

// TestClientsOverTLS: HTTP/1.1 and HTTP/2, guarded as in plaintext, and known
// to the web server as https.
func TestClientsOverTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		roots := writePair(t, dir, "web")
		c, err := LoadCertificate(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), nil)
		if err != nil {
			t.Fatal(err)
		}
		m := newCluster(t, 1, nil).members[0]
		l := serveLanes(t, m, m.Balancer, c)
		slow := serveLanes(t, m, nil, c)
		m.web.set(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.Header.Get("X-Forwarded-Proto"))
		})
		for i, protocol := range []string{"HTTP/1.1", "HTTP/2.0", "HTTP/1.1"} {
			transport := &http.Transport{
				TLSClientConfig:   &tls.Config{RootCAs: roots, ServerName: "web"},
				ForceAttemptHTTP2: protocol == "HTTP/2.0", DialContext: l.dial,
			}
			if i == 2 {
				transport.DialContext = slow.dial
			}
			res, err := (&http.Client{Transport: transport}).Get("https://web/")
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if _ = res.Body.Close(); string(body) != "https" || res.Proto != protocol || err != nil {
				t.Errorf("%s: %q over %s, %v", protocol, body, res.Proto, err)
			}
			transport.CloseIdleConnections()
		}

		raw, err := l.dial(context.Background(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		client := tls.Client(raw, &tls.Config{RootCAs: roots, ServerName: "web"})
		go func() {
			_, _ = io.WriteString(client, "GET / HTTP/1.1\r\nHost: web\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
		}()
		answer, _ := io.ReadAll(client)
		if !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") || !strings.Contains(string(answer), faultBoth.reason) {
			t.Errorf("an ambiguous request: %q", answer)
		}
		silent(t, l)
	})
}

// silent dials and says nothing: that ends with the time for a head.
func silent(t *testing.T, l *pipes) {
	t.Helper()
	c, err := l.dial(context.Background(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	began := time.Now()
	_, err = c.Read(make([]byte, 1))
	if took := time.Since(began); err == nil || took > headPatience+time.Second {
		t.Errorf("who says nothing to TLS is borne for %v: %v", took, err)
	}
}
