package balancer

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/balancer/h1"
)

// h2Transport is a client that speaks HTTP/2 in plaintext to l.
func h2Transport(t *testing.T, l *pipes) *http.Transport {
	t.Helper()
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{DialContext: l.dial, Protocols: &protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// TestCallsBothWays is what gRPC does: messages go both ways at once on one
// stream, and the status comes in the trailers, also where there is no message.
func TestCallsBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 || r.Header.Get("Te") != "trailers" {
				t.Errorf("%s with Te %q", r.Proto, r.Header["Te"])
			}
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Trailer", "Grpc-Status")
			if r.URL.Path == "/denied" {
				w.Header().Set("Grpc-Status", "7")
				return
			}
			message := make([]byte, 4)
			for {
				if _, err := io.ReadFull(r.Body, message); err != nil {
					break
				}
				_, _ = w.Write([]byte(strings.ToUpper(string(message))))
				_ = http.NewResponseController(w).Flush()
			}
			w.Header().Set("Grpc-Status", "0")
		}))
		front, f := frontOf(t, "h2c://web", web)
		transport := h2Transport(t, front)
		call := func(path string) (io.WriteCloser, *http.Response) {
			body, out := io.Pipe()
			r, err := http.NewRequestWithContext(t.Context(), "POST", "http://web"+path, body)
			if err != nil {
				t.Fatal(err)
			}
			r.Header["Te"] = []string{"trailers"}
			go func() { _, _ = io.WriteString(out, "ping") }()
			res, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			return out, res
		}
		out, res := call("/echo")
		answer := make([]byte, 4)
		for i := range 3 {
			if _, err := io.ReadFull(res.Body, answer); err != nil || string(answer) != "PING" {
				t.Fatalf("message %d: %q, %v", i, answer, err)
			}
			if i < 2 {
				_, _ = io.WriteString(out, "ping")
			}
		}
		_ = out.Close()
		if rest, err := io.ReadAll(res.Body); len(rest) > 0 || err != nil || res.Trailer.Get("Grpc-Status") != "0" {
			t.Errorf("%q, %v, trailers %v", rest, err, res.Trailer)
		}
		out, res = call("/denied")
		if rest, err := io.ReadAll(res.Body); len(rest) > 0 || err != nil || res.Trailer.Get("Grpc-Status") != "7" {
			t.Errorf("%q, %v, trailers %v; %v", rest, err, res.Trailer, f.failed)
		}
		_ = out.Close()
	})
}

// TestHTTP2Upstream: what h1 does for a web server is done for one of HTTP/2.
func TestHTTP2Upstream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/slow") {
				<-r.Context().Done()
				return
			}
			w.Header().Set("Link", "x")
			w.WriteHeader(http.StatusEarlyHints)
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %s %d %q", r.Proto, r.Host, r.RequestURI, len(body), r.Header["User-Agent"])
		}))
		front, f := frontOf(t, "h2c://web/app", web)
		for request, want := range map[string]string{
			"GET /a%2Fb?c=%zz HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n":                                        "HTTP/2.0 w /app/a%2Fb?c=%zz 0 []",
			"GET //x? HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n":                                                "HTTP/2.0 w /app//x? 0 []",
			"POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc":                          "HTTP/2.0 w /app/ 3 []",
			"POST / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\n\r\n": "HTTP/2.0 w /app/ 1 []",
		} {
			out := talk(t, front, request, 1000)
			if !strings.HasPrefix(out, "HTTP/1.1 103 Early Hints\r\n") || !strings.Contains(out, want) {
				t.Errorf("%q: %q, %v", request, out, f.failed)
			}
		}
		upgrade := "GET / HTTP/1.1\r\nHost: w\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
		if out := talk(t, front, upgrade, 1000); !strings.HasPrefix(out, "HTTP/1.1 400 ") {
			t.Errorf("a websocket: %q", out)
		}
		start := time.Now()
		out := talk(t, front, "GET /slow HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n", 1000)
		if took := time.Since(start); !strings.HasPrefix(out, "HTTP/1.1 504 ") || took != 30*time.Second {
			t.Errorf("a slow answer: %q after %v", out, took)
		}
	})
}

// TestForwardToHTTP2: a peer's web server of HTTP/2 that answers before it has
// read the request does not hold the exchange.
func TestForwardToHTTP2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 2, func(i int, cfg *Config) {
			tight(i, cfg)
			cfg.Upstream = "h2c://" + cfg.Name
		})
		c.members[1].web.set(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.Proto)
		})
		body, never := io.Pipe()
		defer never.Close()
		go func() { _, _ = io.WriteString(never, "ping") }()
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://web/", body)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		res, err := h2Transport(t, serveHTTP(t, m)).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(res.Body)
		if took := time.Since(began); string(answer) != "HTTP/2.0" || err != nil || took > time.Second {
			t.Errorf("%d %q, %v after %v", res.StatusCode, answer, err, took)
		}
		_ = res.Body.Close()
		synctest.Wait()
		if s := c.members[1].Stats(); s.Exchanges != 0 {
			t.Errorf("%d exchanges are left", s.Exchanges)
		}
		end()
	})
}

// TestHTTP2ToHTTP1 holds that a web server which speaks HTTP/1.1 where the URL
// says h2c is named as that.
func TestHTTP2ToHTTP1(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, web := net.Pipe()
		defer web.Close()
		go io.Copy(io.Discard, web)
		c := newH2(upstreamConfig{HeaderTimeout: time.Minute}, false, func(context.Context) (net.Conn, error) { return here, nil })
		defer c.CloseIdle()
		done := make(chan error)
		go func() {
			_, err := c.Do(t.Context(), &h1.Request{Method: "GET", Host: "web", Target: "/", Header: http.Header{}})
			done <- err
		}()
		synctest.Wait() // it has sent its request
		io.WriteString(web, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
		err := <-done
		if want := "the web server speaks HTTP/1.1"; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want one that begins with %q", err, want)
		}
	})
}
