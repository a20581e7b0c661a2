package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kecho/agent/api"
	"kecho/agent/news"
)

// eventServer serves a log of ten items.
func eventServer(t *testing.T) (*news.Log, string) {
	t.Helper()
	log := news.New(news.Config{ID: "ab", Kept: 10})
	server := httptest.NewServer(serving(api.Config{Events: log}))
	t.Cleanup(server.Close)
	t.Cleanup(log.Close) // before the server, which waits for the streams
	return log, server.URL
}

var errEnough = errors.New("enough")

// take reads n events.
func take(t *testing.T, c *api.Client, after string, types []string, n int) (all []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := c.Events(ctx, after, types, func(e api.Event) error {
		if all = append(all, fmt.Sprintf("%s %s %s", e.ID, e.Type, e.Data)); len(all) == n {
			return errEnough
		}
		return nil
	})
	if err != errEnough {
		t.Fatalf("%v after %q", err, all)
	}
	return all
}

func TestEvents(t *testing.T) {
	log, addr := eventServer(t)
	c := client(t, addr)
	for i := range 3 {
		log.Add([]string{"member", "threshold"}[i%2], i)
	}
	want := func(got []string, events ...string) {
		t.Helper()
		if g, w := strings.Join(got, ", "), strings.Join(events, ", "); g != w {
			t.Errorf("got %s, want %s", g, w)
		}
	}
	want(take(t, c, "ab-1", nil, 2), "ab-2 threshold 1", "ab-3 member 2")
	want(take(t, c, "ab-0", []string{"threshold", "lease"}, 1), "ab-2 threshold 1")
	want(take(t, c, "ffff-1", nil, 2), ` gap {"missed":0}`, "ab-1 member 0")
	for i := range 20 {
		log.Add("member", i)
	}
	want(take(t, c, "ab-3", nil, 2), ` gap {"missed":10}`, "ab-14 member 10")

	// Who asks for nothing gets what comes.
	got := make(chan string, 1)
	go func() {
		_ = c.Events(t.Context(), "", nil, func(e api.Event) error {
			got <- e.ID
			return errEnough
		})
	}()
	for i := 0; ; i++ {
		log.Add("member", i)
		select {
		case id := <-got:
			if id == "ab-23" {
				t.Error("an event that was there before")
			}
			return
		case <-time.After(10 * time.Millisecond): // until the reader is there
		}
	}
}

// The form is that of browsers' EventSource, and the end of the log is the end.
func TestEventsAsText(t *testing.T) {
	log, addr := eventServer(t)
	log.Add("member", map[string]string{"name": "web2"})
	r, _ := http.NewRequest("GET", addr+"/v1/events", nil)
	r.Header.Set("Last-Event-ID", "ab-0")
	r.Header.Set("Accept", "text/event-stream")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if kind := res.Header.Get("Content-Type"); kind != "text/event-stream" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("Content-Type %q, %v", kind, res.Header)
	}
	lines := bufio.NewScanner(res.Body)
	for _, want := range []string{":", "", "id: ab-1", "event: member", "data: {", ""} {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), want) || want == "" && lines.Text() != "" {
			t.Fatalf("%q, want %q (%v)", lines.Text(), want, lines.Err())
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var e struct {
				ID, Type string
				Time     time.Time
				Data     struct{ Name string }
			}
			if err := json.Unmarshal([]byte(data), &e); err != nil || e.ID != "ab-1" || e.Type != "member" || e.Data.Name != "web2" || e.Time.IsZero() {
				t.Errorf("%v in %s", err, data)
			}
		}
	}
	log.Close()
	if lines.Scan() || lines.Err() != nil {
		t.Errorf("after the end: %q, %v", lines.Text(), lines.Err())
	}
}

// Without an Accept it is a list, which can be waited for.
func TestEventsList(t *testing.T) {
	log, addr := eventServer(t)
	list := func(query string) string {
		t.Helper()
		status, body := request(t, "GET", addr+"/v1/events"+query, "")
		var got api.Events
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
			t.Fatalf("%d %v in %s", status, err, body)
		}
		text := ""
		for _, item := range got.Items {
			text += item.ID + " " + item.Type + ", "
		}
		if got.Gap != nil {
			text += fmt.Sprint("gap of ", got.Gap.Missed, ", ")
		}
		return text + "next " + got.Next
	}
	if got := list(""); got != "next ab-0" {
		t.Error(got)
	}
	for i := range 12 {
		log.Add([]string{"member", "lease"}[i%2], i)
	}
	for query, want := range map[string]string{
		"?after=ab-10":            "ab-11 member, ab-12 lease, next ab-12",
		"?after=ab-9&type=member": "ab-11 member, next ab-12",
		"?after=ab-1&type=none":   "gap of 1, next ab-12",
		"?after=ab-12&wait=1ms":   "next ab-12",
	} {
		if got := list(query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	go log.Add("member", 13)
	if got := list("?after=ab-12&wait=1m"); got != "ab-13 member, next ab-13" {
		t.Error(got)
	}
	for range 6 { // more than a page of what is not wanted
		log.Add("member", strings.Repeat("x", 15<<10))
	}
	log.Add("lease", 20)
	if got := list("?after=ab-13&type=lease"); got != "ab-20 lease, next ab-20" {
		t.Error(got)
	}
	if got := list("?after=ab-13"); got != "ab-14 member, ab-15 member, ab-16 member, ab-17 member, next ab-17" {
		t.Error(got)
	}
}

func TestEventsRefused(t *testing.T) {
	_, addr := eventServer(t)
	c := client(t, addr)
	err := c.Events(t.Context(), "seven", nil, nil)
	checkError(t, err, api.Invalid, `header.Last-Event-ID: "seven" is no item's id`)
	err = c.Events(t.Context(), strings.Repeat("x", 65), nil, nil)
	checkError(t, err, api.Invalid, "header.Last-Event-ID: expected length")
	get := func() (*http.Response, error) {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", addr+"/v1/events", nil)
		r.Header.Set("Accept", "text/event-stream")
		return http.DefaultClient.Do(r)
	}
	for range 64 {
		res, err := get()
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
	}
	res, err := get()
	if err != nil || res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("one too many: %v %v", res, err)
	}
	res.Body.Close()
}
