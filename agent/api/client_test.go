package api_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kecho/agent/api"
)

func client(t *testing.T, addr string) *api.Client {
	t.Helper()
	c, err := api.New(addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClientReadsWhatTheHandlerWrites(t *testing.T) {
	server := httptest.NewServer(handler(api.Check{Name: "upstream", Detail: "refused"}))
	defer server.Close()
	for _, addr := range []string{server.URL, server.URL + "/", strings.TrimPrefix(server.URL, "http://")} {
		c := client(t, addr)
		node, err := c.Node(t.Context())
		if d := cmp.Diff(someNode(), node); err != nil || d != "" {
			t.Errorf("%s: %v %s", addr, err, d)
		}
		members, err := c.Members(t.Context())
		if d := cmp.Diff(someMembers(), members); err != nil || d != "" {
			t.Errorf("%s: %v %s", addr, err, d)
		}
		ready, err := c.Ready(t.Context())
		want := api.Readiness{Checks: []api.Check{{Name: "upstream", Detail: "refused"}}}
		if d := cmp.Diff(want, ready); err != nil || d != "" {
			t.Errorf("%s: %v %s", addr, err, d)
		}
	}
}

func TestClientOverUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler()}
	go server.Serve(l)
	defer server.Close()
	node, err := client(t, "unix://"+path).Node(t.Context())
	if err != nil || node.Name != "web1" {
		t.Errorf("%q, %v", node.Name, err)
	}
}

func TestClientRefusesBadAddresses(t *testing.T) {
	for _, addr := range []string{"", "localhost", "https://h:1", "unix://relative", "http://h:1/path", "ftp://h:1", "http://h:1?x=1", "http://%zz:1"} {
		_, err := api.New(addr)
		if api.ExitCode(err) != 2 {
			t.Errorf("New(%q) = %v", addr, err)
		}
	}
}

func TestClientErrors(t *testing.T) {
	answer := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		code    api.Code
		text    string
	}{
		{"another server", answer(200, "text/html", "<html>"), api.Unreachable, "not a kecho agent"},
		{"broken JSON", answer(200, "application/json", "{"), api.Unreachable, "not a kecho agent"},
		{"problem without code", answer(500, "application/problem+json", "{}"), api.Unreachable, "not a kecho agent"},
		{"problem", answer(503, "application/problem+json", `{"code":"try_later","detail":"no room"}`), api.TryLater, "no room"},
		{"endless", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}, api.Unreachable, "more than"},
		{"cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, api.Unreachable, "is it running?"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.handler)
			defer server.Close()
			_, err := client(t, server.URL).Members(t.Context())
			checkError(t, err, tt.code, tt.text)
		})
	}
}

func TestClientWhenNobodyAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // it listens, and never accepts
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = client(t, l.Addr().String()).Node(ctx)
	checkError(t, err, api.Timeout, "in time")

	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	_, err = client(t, l.Addr().String()).Node(ctx)
	checkError(t, err, api.Failed, "interrupted")

	gone := l.Addr().String()
	l.Close()
	_, err = client(t, gone).Node(t.Context())
	checkError(t, err, api.Unreachable, "connection refused): is it running? --api")
	_, err = client(t, "unix:///nowhere/kecho.sock").Ready(t.Context())
	checkError(t, err, api.Unreachable, "no such file")
}

func checkError(t *testing.T, err error, code api.Code, text string) {
	t.Helper()
	var coded *api.Error
	if !errors.As(err, &coded) || coded.Code != code || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want code %s and %q", err, code, text)
	}
}
