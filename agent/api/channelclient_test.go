package api_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"kecho/agent/api"
	"kecho/agent/cloudevents"
)

// The client publishes, follows with cursors and gaps, and asks.
func TestChannelClient(t *testing.T) {
	table, _, addr := channelServer(t)
	c := client(t, addr)
	if _, err := c.OpenChannel(t.Context(), "work"); err != nil {
		t.Fatal(err)
	}
	event := cloudevents.Event{Attributes: map[string]any{"id": "q", "source": "/x", "type": "q"}}
	answers, err := c.Request(t.Context(), "work", event, api.Gather{Replies: 2}) // nobody follows it
	if err != nil || len(answers.Items) != 0 || answers.End != "all" {
		t.Errorf("%+v, %v", answers, err)
	}
	var events []cloudevents.Event
	for i := range 3 {
		events = append(events, cloudevents.Event{
			Attributes: map[string]any{"id": fmt.Sprint(i), "source": []string{"/x", "/y"}[i%2], "type": "t"}, Data: []byte(`{"n":1}`),
		})
	}
	out, err := c.Publish(t.Context(), "work", events)
	if err != nil || len(out.Items) != 3 || out.Items[2].ID != "2" {
		t.Fatalf("%+v, %v", out, err)
	}
	_, err = c.Publish(t.Context(), "work", []cloudevents.Event{{Attributes: map[string]any{"id": "1"}}})
	checkError(t, err, api.Invalid, "missing source, type")
	work, err := table.At("work")
	if err != nil {
		t.Fatal(err)
	}
	start := work.Log().ID(work.Log().Start())
	follow := func(s api.Selection, n int) (got string) {
		t.Helper()
		err := c.Follow(t.Context(), "work", s, func(item api.ChannelItem) error {
			if item.Gap != nil {
				got += fmt.Sprint("gap ", item.Gap.Missed, ", ")
			} else {
				got += fmt.Sprint(item.Event.Text("id"), item.Cursor[strings.LastIndex(item.Cursor, "-"):], string(item.Event.Data), ", ")
			}
			if n--; n == 0 {
				return errEnough
			}
			return nil
		})
		if !errors.Is(err, errEnough) {
			t.Errorf("%v after %s", err, got)
		}
		return got
	}
	if got, want := follow(api.Selection{After: start, Sources: []string{"/x"}, Types: []string{"t"}}, 2), `0-2{"n":1}, 2-4{"n":1}, `; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := follow(api.Selection{After: "00-5", Types: []string{"t"}}, 2), `gap 0, 0-2{"n":1}, `; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	checkError(t, c.Follow(t.Context(), "none", api.Selection{}, nil), api.NotFound, "no such channel")
	// A channel that is closed ends who follows it.
	ended := make(chan error, 1)
	begun := make(chan struct{})
	go func() {
		ended <- c.Follow(t.Context(), "work", api.Selection{After: start}, func(item api.ChannelItem) error {
			if item.Event.Text("id") == "2" {
				close(begun)
			}
			return nil
		})
	}()
	<-begun
	if err := c.CloseChannel(t.Context(), "work"); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the end: %v", err)
	}
}
