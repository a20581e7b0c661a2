package agent_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent/agenttest"
	"kecho/agent/api"
	"kecho/agent/cloudevents"
)

// An agent that stops closes the websockets of its API, and says why; it waits
// for none that does not answer.
func TestStopEndsStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Nodes: 1})
		client := c.Nodes[0].API(t)
		if _, err := client.OpenChannel(t.Context(), "work"); err != nil {
			t.Fatal(err)
		}
		var streams []*api.Stream
		for range 2 {
			s, err := client.Stream(t.Context(), "work")
			if err != nil {
				t.Fatal(err)
			}
			streams = append(streams, s)
		}
		event := cloudevents.Event{Attributes: map[string]any{"id": "7", "source": "/x", "type": "t"}}
		if out, err := streams[0].Publish(t.Context(), event); err != nil || out.ID != "7" || out.KechoID == "" {
			t.Errorf("%+v, %v", out, err)
		}
		var refused *api.Error
		if _, err := streams[0].Publish(t.Context(), cloudevents.Event{}); !errors.As(err, &refused) || refused.Code != api.Invalid {
			t.Errorf("an event of nothing: %v", err)
		}
		stopped := make(chan error, 1)
		began := time.Now()
		go func() { stopped <- c.Nodes[0].Stop() }()
		var gone error
		for gone == nil {
			_, gone = streams[0].Publish(t.Context(), event)
			time.Sleep(100 * time.Millisecond)
		}
		if !errors.As(gone, &refused) || refused.Code != api.NotReady {
			t.Errorf("while it stops: %v", gone)
		}
		if err := <-stopped; err != nil || time.Since(began) > 10*time.Second {
			t.Errorf("stopped after %v: %v", time.Since(began), err)
		}
	})
}
