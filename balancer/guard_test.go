package balancer

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// guardedHandler refuses as the front does, and else says what it read.
func guardedHandler(served *int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status, reason, refused := refusal(r); refused {
			refuse(w, status, 0, reason)
			return
		}
		body, err := io.ReadAll(r.Body)
		if f := faultOf(r, err); f != nil {
			refuse(w, f.status, 0, f.reason)
			return
		}
		if err != nil {
			refuse(w, http.StatusBadRequest, 0, "the request's body broke off")
			return
		}
		*served++
		fmt.Fprintf(w, "%s %s %d", r.Method, r.RequestURI, len(body))
	})
}

var statusLine = regexp.MustCompile(`HTTP/1\.[01] [1-5]\d\d `)

func TestGuardRefuses(t *testing.T) {
	for _, c := range badStreams {
		t.Run(c.name, func(t *testing.T) {
			for _, n := range []int{len(c.in), 1 + len(c.in)/1000} {
				synctest.Test(t, func(t *testing.T) { guardRefuses(t, c.in, n, int(c.heads), c.fault) })
			}
		})
	}
}

// guardRefuses sends in, and a good request after it that must not be served.
func guardRefuses(t *testing.T, in string, n, head int, f *fault) {
	served := 0
	l := serveHTTP(t, guardedHandler(&served))
	out := talk(t, l, in+"\r\n\r\nGET /smuggled HTTP/1.1\r\n"+hostLine+"\r\n", n)
	if served != head-1 || strings.Contains(out, "smuggled") {
		t.Errorf("%d requests were served, want %d", served, head-1)
	}
	answers := statusLine.FindAllStringIndex(out, -1)
	if len(answers) != head {
		t.Fatalf("%d answers, want %d: %q", len(answers), head, out)
	}
	last := out[answers[head-1][0]:]
	if last[9] != '4' && last[9] != '5' {
		t.Errorf("the last answer is no refusal: %.60q", last)
	}
	if !strings.Contains(last, "Connection: close") {
		t.Errorf("the connection is kept after %.60q", last)
	}
	if strings.HasPrefix(in, "\r\n") || f == faultTrailer {
		return // net/http refuses an empty line itself, and takes 4 KiB of trailers
	}
	want := fmt.Sprintf("HTTP/1.1 %d ", f.status)
	if !strings.HasPrefix(last, want) || !strings.HasSuffix(last, "\nkecho: "+f.reason+"\n") {
		t.Errorf("the refusal is %q, want %s: %q", last, want, f.reason)
	}
}

func TestGuardServes(t *testing.T) {
	for _, c := range goodStreams {
		if c.heads == 0 {
			continue
		}
		for _, n := range []int{len(c.in), 7, 1 + len(c.in)/1000} {
			synctest.Test(t, func(t *testing.T) {
				served := 0
				l := serveHTTP(t, guardedHandler(&served))
				out := talk(t, l, c.in, n)
				if served != int(c.heads) || len(statusLine.FindAllString(out, -1)) != served {
					t.Errorf("%s: %d of %d requests were served: %q", c.name, served, c.heads, out)
				}
			})
		}
	}
}

func TestGuardLeavesHTTP2Alone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		served := 0
		l := serveHTTP(t, guardedHandler(&served))
		var protocols http.Protocols
		protocols.SetUnencryptedHTTP2(true)
		transport := &http.Transport{DialContext: l.dial, Protocols: &protocols}
		defer transport.CloseIdleConnections()
		for range 3 {
			res, err := (&http.Client{Transport: transport}).Post("http://web/x", "", strings.NewReader("12345"))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil || res.ProtoMajor != 2 || string(body) != "POST /x 5" {
				t.Errorf("%s %q %v", res.Proto, body, err)
			}
			_ = res.Body.Close()
		}
	})
}

// TestGuardCountsHeads: a preface where HTTP/2 is not spoken, and a handler
// that is called without a guarded head, are refused.
func TestGuardCountsHeads(t *testing.T) {
	g := &guarded{}
	r, err := http.NewRequestWithContext(context.WithValue(t.Context(), guardKey{}, g), "PRI", "http://web/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.ProtoMajor = 2
	if _, _, refused := refusal(r); !refused {
		t.Error("PRI came to a handler and was not refused")
	}
	r = r.WithContext(context.WithValue(t.Context(), guardKey{}, &guarded{}))
	r.Method, r.ProtoMajor = "GET", 1
	if _, _, refused := refusal(r); !refused {
		t.Error("a request that the guard has not seen was not refused")
	}
	if _, _, refused := refusal(r.WithContext(t.Context())); refused {
		t.Error("a request on a connection without a guard was refused")
	}
}

// TestReleasedConnections: nothing is followed, and nothing fails.
func TestReleasedConnections(t *testing.T) {
	near, far := net.Pipe()
	g := newGuarded(near, nil)
	g.served.Store(1)
	g.release()
	go func() {
		_, _ = io.WriteString(far, chunkedHead+"zz\r\n")
		_ = far.Close()
	}()
	if in, err := io.ReadAll(g); err != nil || len(in) != len(chunkedHead)+4 || g.framing.heads != 0 {
		t.Errorf("%d bytes, %d heads, %v", len(in), g.framing.heads, err)
	}
}

// TestGuardAnswersInOrder: what came before a head at fault is answered first
// and whole, and is not cancelled, however the bytes arrive.
func TestGuardAnswersInOrder(t *testing.T) {
	const good = "POST /first HTTP/1.1\r\n" + hostLine + "Content-Length: 4\r\n\r\nbody"
	bad := "GET /second HTTP/1.1\r\n" + hostLine + "Content-Length: 4, 4\r\n\r\n" + strings.Repeat("garbage\r\n", 1000)
	for _, n := range []int{1, 3, 50, len(good), len(good) + 1, len(good + bad)} {
		synctest.Test(t, func(t *testing.T) {
			out := talk(t, serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if status, reason, refused := refusal(r); refused {
					refuse(w, status, 0, reason)
					return
				}
				body, err := io.ReadAll(r.Body)
				time.Sleep(20 * time.Second)
				fmt.Fprintf(w, "%s, %v, %v", body, err, r.Context().Err())
			})), good+bad, n)
			first, second, _ := strings.Cut(out, "body, <nil>, <nil>")
			if !strings.HasPrefix(first, "HTTP/1.1 200 ") || !strings.HasPrefix(second, "HTTP/1.1 400 ") || !strings.HasSuffix(second, faultLength.reason+"\n") {
				t.Errorf("in pieces of %d: %q", n, out)
			}
		})
	}
}

// TestRefusedClientsMayFinish: what a refused client still sends is taken for a
// moment, so that it does not reset the connection before the answer is read.
func TestRefusedClientsMayFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		served := 0
		c, err := serveHTTP(t, guardedHandler(&served)).dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		sent := start(func() error {
			_, err := io.WriteString(c, "GET  / HTTP/1.1\r\n"+strings.Repeat("A: b\r\n", 10_000))
			return err
		})
		if out := readHead(c); !strings.HasPrefix(out, "HTTP/1.1 400 ") {
			t.Errorf("%q", out)
		}
		go func() { _, _ = io.Copy(io.Discard, c) }()
		if err := <-sent; err != nil {
			t.Errorf("the rest of the head: %v", err)
		}
	})
}
