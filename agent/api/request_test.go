package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent/api"
)

// answering has node i answer what asks, over HTTP alone: it polls, and
// publishes an answer so many seconds later for each of those.
func answering(t *testing.T, client *http.Client, i int, seconds ...int) {
	at := fmt.Sprintf("http://10.0.0.%d:7940/v1/channels/work/events", i)
	go func() {
		for after := ""; t.Context().Err() == nil; {
			r, _ := http.NewRequestWithContext(t.Context(), "GET", at+"?wait=1m&after="+after, nil)
			res, err := client.Do(r)
			if err != nil {
				return
			}
			var page struct {
				Items []struct {
					KechoID   string
					KechoAsks bool
				}
				Next string
			}
			err = json.NewDecoder(res.Body).Decode(&page)
			res.Body.Close()
			if err != nil {
				return
			}
			after = page.Next
			for _, e := range page.Items {
				for _, s := range seconds {
					if !e.KechoAsks {
						continue
					}
					select {
					case <-time.After(time.Duration(s) * time.Second):
					case <-t.Context().Done():
						return
					}
					body := fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"/node%d","type":"answer","kechore":%q}`, s, i, e.KechoID)
					r, _ := http.NewRequestWithContext(t.Context(), "POST", at, strings.NewReader(body))
					r.Header.Set("Content-Type", "application/cloudevents+json")
					if res, err := client.Do(r); err == nil {
						res.Body.Close()
					}
				}
			}
		}
	}()
}

const (
	question = `{"specversion":"1.0","id":"q","source":"/me","type":"who","data":1}`
	requests = "POST http://10.0.0.1:7940/v1/channels/work/requests"
	oneEvent = "application/cloudevents+json"
)

// Both sides ask and answer by nothing but HTTP.
func TestRequest(t *testing.T) {
	for _, tt := range []struct {
		query string
		want  string // sources and ids of the answers, how many were asked, why it ended and when
	}{
		{"", "/node2 1, /node3 2, 2 asked, all, 2s"},
		{"?replies=1", "/node2 1, 2 asked, count, 1s"},
		{"?gap=500ms&replies=2", "/node2 1, 2 asked, gap, 1.5s"},
		{"?gap=30s&timeout=1500ms", "/node2 1, 2 asked, timeout, 1.5s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, client := apiNet(t, 3)
			answering(t, client, 2, 1, 6)
			answering(t, client, 3, 2)
			synctest.Wait()
			began := time.Now()
			status, body := requestBy(t, client, requests+tt.query, question, "Content-Type", oneEvent)
			var got api.ChannelAnswers
			if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
				t.Fatalf("%d %v in %s", status, err, body)
			}
			var text string
			for _, item := range got.Items {
				var e struct{ ID, Source, Type, KechoRe string }
				if err := json.Unmarshal(item, &e); err != nil || e.Type != "answer" || !strings.HasPrefix(e.KechoRe, "0000000000000001-") {
					t.Errorf("%v in %s", err, item)
				}
				text += e.Source + " " + e.ID + ", "
			}
			if text += fmt.Sprintf("%d asked, %s, %v", got.Asked, got.End, time.Since(began)); text != tt.want {
				t.Errorf("%s: %s, want %s", tt.query, text, tt.want)
			}
			if status, body := requestBy(t, client, "GET http://10.0.0.3:7940/v1/channels/work/events", ""); strings.Contains(body, `"answer"`) {
				t.Errorf("an answer is for who has asked alone: %d %s", status, body)
			}
		})
	}
}

// As a stream the answers are there when they come.
func TestRequestStreams(t *testing.T) {
	for accept, want := range map[string][]string{
		"text/event-stream": {
			"1s event: answer", `1s data: {"specversion":"1.0","id":"1"`, "1s ", "2s event: answer", "2s data: {", "2s ",
			"2s event: end", `2s data: {"asked":2,"end":"all"}`, "2s ",
		},
		"application/x-ndjson": {`1s {"specversion":"1.0","id":"1"`, `2s {"specversion":"1.0","id":"2"`, `2s {"end":{"asked":2,"end":"all"}}`},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, client := apiNet(t, 3)
			answering(t, client, 2, 1)
			answering(t, client, 3, 2)
			synctest.Wait()
			method, url, _ := strings.Cut(requests, " ")
			r, _ := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(question))
			r.Header.Set("Content-Type", oneEvent)
			r.Header.Set("Accept", accept)
			began := time.Now()
			res, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if kind := res.Header.Get("Content-Type"); kind != accept {
				t.Errorf("Content-Type %q", kind)
			}
			lines := bufio.NewScanner(res.Body)
			for _, want := range want {
				lines.Scan()
				if got := fmt.Sprint(time.Since(began), " ", lines.Text()); !strings.HasPrefix(got, want) {
					t.Errorf("%s: %s, want %s", accept, got, want)
				}
			}
			if lines.Scan() {
				t.Errorf("after the end: %s", lines.Text())
			}
		})
	}
}

// Who goes while it waits is not waited for, and neither is who never reads.
func TestRequestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tables, client := apiNet(t, 2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		method, url, _ := strings.Cut(requests, " ")
		r, _ := http.NewRequestWithContext(ctx, method, url+"?timeout=1m", strings.NewReader(question))
		r.Header.Set("Content-Type", oneEvent)
		go func() {
			if _, err := client.Do(r); err == nil {
				t.Error("it was answered")
			}
		}()
		synctest.Wait()
		if n := tables[0].Readers(); n != 1 {
			t.Errorf("%d requests", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := tables[0].Readers(); n != 0 {
			t.Errorf("%d requests of nobody", n)
		}
	})
}

// What a node says when its channel goes, when nobody is there, and when an
// answer is to nobody.
func TestRequestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tables, client := apiNet(t, 1)
		status, body := requestBy(t, client, requests, question, "Content-Type", oneEvent)
		if status != 200 || !strings.Contains(body, `"items": [],`) || !strings.Contains(body, `"end": "all"`) {
			t.Errorf("nobody there: %d %s", status, body)
		}
		late := `{"specversion":"1.0","id":"1","source":"/x","type":"answer","kechore":"0000000000000001-9223372036854775817"}`
		events := strings.TrimSuffix(requests, "requests") + "events"
		if status, body := requestBy(t, client, events, late, "Content-Type", oneEvent); status != 202 {
			t.Errorf("an answer that is too late: %d %s", status, body)
		}
		gone := strings.Replace(late, "0000000000000001-", "0000000000000007-", 1)
		if status, body := requestBy(t, client, events, gone, "Content-Type", oneEvent); status != 409 || !strings.Contains(body, "the node that asked is not linked") {
			t.Errorf("an answer to who is gone: %d %s", status, body)
		}
		answering(t, client, 1) // it follows, so it is waited for, and says nothing
		synctest.Wait()
		time.AfterFunc(time.Second, func() { tables[0].Close("work") })
		status, body = requestBy(t, client, requests+"?timeout=40s", question, "Content-Type", oneEvent)
		if status != 503 || !strings.Contains(body, `"code": "not_ready"`) {
			t.Errorf("the channel was closed: %d %s", status, body)
		}
	})
}

func TestRequestRefused(t *testing.T) {
	_, _, addr := channelServer(t)
	request(t, "PUT", addr+"/v1/channels/work", "")
	for _, tt := range []struct {
		path, kind, body string
		status           int
		want             string
	}{
		{"nothing/requests", oneEvent, question, 404, "there is no such channel"},
		{"data/requests", oneEvent, question, 409, "the agent's own"},
		{"work/requests", "application/cloudevents-batch+json", "[" + question + "," + question + "]", 422, "body: 2 events: a request is one"},
		{"work/requests", "application/cloudevents-batch+json", "[]", 422, "body: 0 events"},
		{"work/requests", oneEvent, `{"id":"q"}`, 422, "missing specversion, source, type"},
		{"work/requests", oneEvent, `{"specversion":"1.0","id":"q","source":"/me","type":"who","kechopriority":"high"}`, 422, "want urgent, normal or bulk"},
		{"work/requests?timeout=2m", oneEvent, question, 422, "query.timeout"},
		{"work/requests?timeout=0s", oneEvent, question, 422, "query.timeout: want more than 0s"},
		{"work/requests?gap=-1s", oneEvent, question, 422, "query.gap"},
		{"work/requests?replies=-1", oneEvent, question, 422, "query.replies"},
		{"work/requests?replies=5000", oneEvent, question, 422, "query.replies"},
		{"work/requests?replis=5", oneEvent, question, 422, "query.replis: unknown"},
	} {
		if status, body := request(t, "POST", addr+"/v1/channels/"+tt.path, tt.body, "Content-Type", tt.kind); status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s %s: %d %s", tt.path, tt.body, status, body)
		}
	}
}

// An answer's type stands in the stream as it is, and a list is no longer than
// memory has room for.
func TestRequestOfAnyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tables, client := apiNet(t, 3) // the third says nothing, and is waited for
		for _, tt := range []struct {
			kind, accept, want string
			status, answers    int
			data               string
		}{
			{"100%done", "text/event-stream", "event: 100%done\ndata: {\"specversion\"", 200, 1, "{}"},
			{"large", "", "the answers have more than 8388608 bytes together", 413, 350, `"` + strings.Repeat("x", 30000) + `"`},
		} {
			c, err := tables[1].At("work")
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				for at := c.Log().Now(); ; {
					page := c.Log().After(at)
					at = page.Next
					for _, item := range page.Items {
						var e struct{ KechoID string }
						if err := json.Unmarshal(item.Data, &e); err != nil {
							t.Error(err)
						}
						for range tt.answers {
							body := fmt.Sprintf(`{"specversion":"1.0","id":"1","source":"/x","type":%q,"kechore":%q,"data":%s}`, tt.kind, e.KechoID, tt.data)
							requestBy(t, client, "POST http://10.0.0.2:7940/v1/channels/work/events", body, "Content-Type", oneEvent)
						}
						return
					}
					select {
					case <-page.More:
					case <-t.Context().Done():
						return
					}
				}
			}()
			synctest.Wait()
			status, body := requestBy(t, client, requests+"?gap=1s&timeout=1m", question, "Content-Type", oneEvent, "Accept", tt.accept)
			if status != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("%s: %d %.300s", tt.kind, status, body)
			}
			synctest.Wait()
		}
	})
}
