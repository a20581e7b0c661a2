package agent_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent"
	"kecho/agent/agenttest"
)

// values are the node's gauges that are set by source, as name=value.
func values(t *testing.T, n *agenttest.Node, source string) string {
	t.Helper()
	all, err := n.API(t).Gauges(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, g := range all {
		if g.Source == source && g.Value != nil {
			shown = append(shown, fmt.Sprintf("%s=%v", g.Name, *g.Value))
		}
	}
	return strings.Join(shown, " ")
}

// TestLoadInAnswers has a web server say in its answers how busy it is: the
// client is not told, its requests go to the peer while it is too busy, and
// what it said does not hold for ever.
func TestLoadInAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var says atomic.Pointer[string]
		var log bytes.Buffer
		c := agenttest.Start(t, agenttest.Config{
			Nodes: 2,
			Handler: func(i int) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					if text := says.Load(); i == 0 && text != nil {
						w.Header().Set("endpoint-load-metrics", *text)
					} else if i == 1 { // which it says to peers only
						w.Header().Set("endpoint-load-metrics", "TEXT named_metrics.queue=3")
					}
					io.WriteString(w, fmt.Sprintf("web%d", i+1))
				})
			},
			Configure: func(i int, cfg *agent.Config) {
				cfg.Overflow = "app.utilization > 0.9 cancel < 0.7"
				if i == 0 {
					cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
				}
			},
		})
		c.WaitLinked(t)
		web1 := c.Nodes[0]
		get := func(want string) {
			t.Helper()
			res, err := web1.Do("GET", "/", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			if string(body) != want {
				t.Errorf("served by %s, want %s", body, want)
			}
			if res.Header.Get("endpoint-load-metrics") != "" {
				t.Errorf("the client is told %q", res.Header.Get("endpoint-load-metrics"))
			}
			time.Sleep(200 * time.Millisecond)
		}
		say := func(text string) { says.Store(&text) }
		get("web1")
		say("TEXT application_utilization=0.95,named_metrics.queue=12")
		get("web1")
		if got := values(t, web1, "upstream"); got != "app.named{item=queue}=12 app.utilization=0.95" {
			t.Errorf("gauges %s", got)
		}
		get("web2")
		if got := values(t, c.Nodes[1], "upstream"); got != "app.named{item=queue}=3" {
			t.Errorf("gauges of the peer %s", got)
		}
		time.Sleep(10 * time.Second)
		say(`JSON {"application_utilization": 0.5}`)
		get("web1") // what was said first does not hold any more
		if got := values(t, web1, "upstream"); got != "app.utilization=0.5" {
			t.Errorf("gauges %s", got)
		}
		for range 3 {
			say("TEXT application_utilization=NaN")
			get("web1")
		}
		say("TEXT application_utilization=0.4")
		get("web1")
		if s := log.String(); strings.Count(s, "load cannot be read") != 1 || strings.Count(s, "load can be read again") != 1 {
			t.Errorf("the log does not tell of each once:\n%s", s)
		}
	})
}

// A client that asked for the web server's own report gets it.
func TestLoadPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{
			Nodes: 1,
			Handler: func(int) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("endpoint-load-metrics", "TEXT eps=3")
				})
			},
			Configure: func(_ int, cfg *agent.Config) { cfg.PassLoad = true },
		})
		res, err := c.Nodes[0].Do("GET", "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("endpoint-load-metrics"); got != "TEXT eps=3" {
			t.Errorf("the client is told %q", got)
		}
		if got := values(t, c.Nodes[0], "upstream"); got != "app.eps=3" {
			t.Errorf("gauges %s", got)
		}
	})
}

// TestLoadURL has the agent ask an address of the web server.
func TestLoadURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var says atomic.Pointer[string]
		say := func(text string) { says.Store(&text) }
		say("0.25")
		var log bytes.Buffer
		c := agenttest.Start(t, agenttest.Config{
			Nodes: 1,
			Handler: func(int) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					switch text := *says.Load(); {
					case r.URL.Path != "/load":
						io.WriteString(w, "web1")
					case text == "fail":
						w.WriteHeader(500)
					case text == "hang":
						<-r.Context().Done()
					default:
						io.WriteString(w, text)
					}
				})
			},
			Configure: func(i int, cfg *agent.Config) {
				cfg.LoadURL, cfg.LoadEvery = cfg.Upstream+"/load", 2*time.Second
				cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			},
		})
		web1 := c.Nodes[0]
		for _, tt := range []struct{ say, want string }{
			{"0.25", "app.utilization=0.25"},
			{`{"application_utilization": 0.5, "named_metrics": {"queue": 7}}`, "app.named{item=queue}=7 app.utilization=0.5"},
			{"TEXT named_metrics.queue=8", "app.named{item=queue}=8"},
			{"fail", ""},
			{"0.75\n", "app.utilization=0.75"},
			{"hang", ""},
			{strings.Repeat("x=1,", 8000), ""},
			{"1", "app.utilization=1"},
		} {
			say(tt.say)
			time.Sleep(4500 * time.Millisecond)
			if got := values(t, web1, "load-url"); got != tt.want {
				t.Errorf("when it says %.40q: %q, want %q", tt.say, got, tt.want)
			}
		}
		if s := log.String(); strings.Count(s, "load cannot be read") != 2 || strings.Count(s, "load can be read again") != 2 {
			t.Errorf("the log does not tell of each once:\n%s", s)
		}
	})
}
