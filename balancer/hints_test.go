package balancer

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
)

// TestHintsOfBadPeers: what is no informational answer, or one too many, ends the
// peer's part; what is late is nothing to anybody.
func TestHintsOfBadPeers(t *testing.T) {
	ok := packed(answerHead{Status: 200, Length: 2, Fin: true}, "ok")
	many := make([][]byte, maxHints+1)
	for i := range many {
		many[i] = packHint(t, 103)
	}
	for name, c := range map[string]struct {
		before [][]byte
		want   string
		bad    bool
	}{
		"final":          {[][]byte{packHint(t, 200)}, "HTTP/1.1 502 ", true},
		"switch":         {[][]byte{packHint(t, 101)}, "HTTP/1.1 502 ", true},
		"continue":       {[][]byte{packHint(t, 100)}, "HTTP/1.1 502 ", true},
		"no head":        {[][]byte{{0xff}}, "HTTP/1.1 502 ", true},
		"long":           {[][]byte{make([]byte, maxHint+1)}, "HTTP/1.1 502 ", true},
		"one hop's":      {[][]byte{packHint(t, 103, field{"Connection", "x"})}, "HTTP/1.1 502 ", true},
		"one too many":   {many, "HTTP/1.1 103 ", true},
		"just as many":   {many[1:], "HTTP/1.1 103 ", false},
		"ones and an OK": {many[:1], "HTTP/1.1 103 ", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cl := newCluster(t, 1, nil)
				cl.members[0].web.down.Store(true)
				p := cl.raw()
				p.does = func(p *rawPeer, e *channel.Event) {
					if e.Type != typeRequest {
						return
					}
					for _, h := range c.before {
						p.say(typeHint, e.ID, h)
					}
					p.say(typeAnswer, e.ID, ok)
					p.say(typeHint, e.ID, packHint(p.c.t, 103)) // late
				}
				out := talk(t, serveHTTP(t, cl.members[0]), "POST / HTTP/1.1\r\nContent-Length: 0\r\n"+end, 1000)
				if !strings.HasPrefix(out, c.want) || !c.bad && strings.Count(out, "HTTP/1.1 103 ") != len(c.before) {
					t.Errorf("%q", out)
				}
				if n := cl.members[0].Stats().Malformed; (n > 0) != c.bad {
					t.Errorf("%d were malformed", n)
				}
				cl.idle()
			})
		})
	}
}

func packHint(t *testing.T, status int, fields ...field) []byte {
	b, err := channel.Pack(hintHead{Status: status, Fields: fields})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzHint: whatever a peer sends for a hint is refused, or is one that HTTP can
// carry.
func FuzzHint(f *testing.F) {
	head, err := channel.Pack(hintHead{Status: 103, Fields: []field{{"Link", "</x>"}, {"A", ""}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(head)
	for _, g := range garbage {
		f.Add(g)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := unpackHint(b)
		if err != nil {
			return
		}
		sound(t, h.header)
		if h.status < 102 || h.status > 199 {
			t.Errorf("status %d", h.status)
		}
	})
}

// TestHintsComeAtOnce: a hint is with the client while the answer is made.
func TestHintsComeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, front := moved(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			time.Sleep(10 * time.Second)
		})
		conn, err := front.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		began := time.Now()
		go func() { _, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nContent-Length: 0\r\n"+end) }()
		if head := readHead(conn); !strings.HasPrefix(head, "HTTP/1.1 103 ") || time.Since(began) > time.Second {
			t.Errorf("after %v: %q", time.Since(began), head)
		}
		if head := readHead(conn); !strings.HasPrefix(head, "HTTP/1.1 200 ") || time.Since(began) < 10*time.Second {
			t.Errorf("after %v: %q", time.Since(began), head)
		}
		c.idle()
	})
}
