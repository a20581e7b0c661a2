package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent"
	"kecho/agent/agenttest"
	"kecho/agent/api"
)

// TestNews has somebody listen to a node while thresholds are crossed and
// another node comes, goes and dies. The stream ends with the agent.
func TestNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Nodes: 3, Configure: func(i int, cfg *agent.Config) {
			cfg.Thresholds = []string{"app.x > 1 cancel < 0 do event=alerts/x"}
		}})
		c.WaitLinked(t)
		web1 := c.Nodes[0]
		var mu sync.Mutex
		var heard []string
		ended := make(chan error, 1)
		go func() {
			ended <- web1.API(t).Events(context.Background(), "", nil, func(e api.Event) error {
				var data struct {
					Name, Status, Was, Condition, Cause, State string
					Raised, Up                                 bool
				}
				if err := json.Unmarshal(e.Data, &data); err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				switch e.Type {
				case api.EventLink:
					heard = append(heard, fmt.Sprintf("%s up %v: %s", data.Name, data.Up, data.Cause))
				case api.EventState:
					heard = append(heard, fmt.Sprintf("%s, was %s", data.State, data.Was))
				case api.EventThreshold:
					heard = append(heard, fmt.Sprint(data.Condition, " ", data.Raised))
				default:
					heard = append(heard, fmt.Sprintf("%s %s>%s", data.Name, data.Was, data.Status))
				}
				return nil
			})
		}()
		time.Sleep(time.Second)
		for _, v := range []float64{2, -1} {
			if _, err := web1.API(t).SetGauge(t.Context(), "app.x", api.GaugeValue{Value: &v}); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Nodes[1].Stop(); err != nil {
			t.Error(err)
		}
		c.Nodes[2].Kill()
		time.Sleep(time.Minute)
		if err := web1.Stop(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Errorf("the stream ended with %v", err)
		}
		got := strings.Join(heard, ", ")
		for _, want := range []string{"app.x > 1 cancel < 0 true, app.x > 1 cancel < 0 false", "web2 alive>", ">left", "web3 alive>failed", "web2 up false: the peer left", "web3 up false: the peer is silent", "draining, was ready"} {
			if !strings.Contains(got, want) {
				t.Errorf("heard %s, without %s", got, want)
			}
		}
	})
}
