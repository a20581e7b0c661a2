package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent/api"
	"kecho/agent/channels"
	"kecho/channel"
	"kecho/channel/channeltest"
)

// Bulk for a node that does not read is waited for as long as it may last, and 5
// seconds at most; then it is said what became of it.
func TestPublishToANodeThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _ := channeltest.Nodes(t, 3)
		table := channels.New(channels.Config{Node: func() *channel.Node { return nodes[0] }})
		if _, _, err := table.OpenWith("work", channels.Keep{Types: []string{"other"}}); err != nil { // else it has the event itself
			t.Fatal(err)
		}
		h := serving(api.Config{Channels: table})
		publish := func(ttl string) (status int, body string, took time.Duration) {
			r := httptest.NewRequestWithContext(t.Context(), "POST", "http://127.0.0.1/v1/channels/work/events", strings.NewReader(strings.Repeat("x", 32<<10)))
			for name, value := range map[string]string{"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/a", "ce-type": "job", "Content-Type": "text/plain", "ce-kechopriority": "bulk", "ce-kechottl": ttl} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			w, began := httptest.NewRecorder(), time.Now()
			h.ServeHTTP(w, r)
			return w.Code, w.Body.String(), time.Since(began)
		}
		release := make(chan struct{})
		defer close(release)
		stuck := channeltest.Open(t, "work", nodes[1])[0]
		if _, err := stuck.SubscribeInline(channel.Match{}, func(*channel.Event) { <-release }); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		status, body, took := publish("")
		for range 1000 { // until the link is full
			if status != http.StatusAccepted {
				break
			}
			status, body, took = publish("")
		}
		if status != http.StatusTooManyRequests || !strings.Contains(body, "no link takes more now") || took != 5*time.Second {
			t.Errorf("%d %s, after %v", status, body, took)
		}
		if status, body, took := publish("2s"); status != http.StatusGatewayTimeout || !strings.Contains(body, `"code": "timeout"`) || took != 2*time.Second {
			t.Errorf("%d %s, after %v", status, body, took)
		}
		good := channeltest.Record(t, channeltest.Open(t, "work", nodes[2])[0], channel.Match{})
		synctest.Wait()
		for ttl, want := range map[string]time.Duration{"": 5 * time.Second, "2s": 2 * time.Second, "1m": 5 * time.Second} {
			if status, body, took := publish(ttl); status != http.StatusAccepted || took != want {
				t.Errorf("ttl %q: %d %s, after %v", ttl, status, body, took)
			}
		}
		good.Wait(t, 3)
	})
}
