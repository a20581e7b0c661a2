package gateway_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
)

// answering has c answer each request of type t with these bodies.
func answering(t *testing.T, c *channel.Channel, bodies ...string) {
	t.Helper()
	sub, err := c.Subscribe(channel.Match{Type: "t"}, func(e *channel.Event) {
		if !e.Asks() {
			return
		}
		for i, body := range bodies {
			answer := channel.Event{Body: []byte(body), Priority: channel.Priority(i%3 - 1)}
			if _, err := c.Reply(t.Context(), e, answer); err != nil {
				t.Errorf("reply: %v", err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Close)
}

// ask requests, and returns the answers in order, and why no more were waited for.
func ask(t *testing.T, c *channel.Channel, g channel.Gather) (bodies []string, end channel.End, events []*channel.Event) {
	t.Helper()
	answers, err := c.Request(t.Context(), channel.Event{Type: "t"}, g)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range answers.Events {
		bodies = append(bodies, string(e.Body))
	}
	slices.Sort(bodies)
	return bodies, answers.End, answers.Events
}

func TestARequestIsAnsweredFromAnotherCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b", "c")
		g := w.connect("a", "b")
		w.connect("b", "c")
		answering(t, w.clusters["a"].news[1], "near")
		answering(t, w.clusters["b"].news[0], "far 1") // one each: who has answered is not waited for
		answering(t, w.clusters["b"].news[1], "far 2")
		answering(t, w.clusters["c"].news[1], "farther")
		settle()
		start := time.Now()
		bodies, end, events := ask(t, w.clusters["a"].news[0], channel.Gather{Timeout: time.Minute})
		if want := []string{"far 1", "far 2", "farther", "near"}; !slices.Equal(bodies, want) || end != channel.ByAll {
			t.Errorf("answers %q, by %v, want %q", bodies, end, want)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("it took %v: somebody was waited for who has nothing to say", took)
		}
		for _, e := range events {
			if string(e.Body) == "farther" && !slices.Equal(e.Path, []string{"c", "b"}) {
				t.Errorf("an answer has come by %q", e.Path)
			}
		}
		synctest.Wait() // an answer is counted after it was submitted
		if s := total(g); s.Answers != 3 || s.Forwarded != 1 {
			t.Errorf("the gateway counts %+v", s)
		}
		bodies, end, _ = ask(t, w.clusters["a"].news[0], channel.Gather{Timeout: time.Minute, Count: 2})
		if len(bodies) != 2 || end != channel.ByCount {
			t.Errorf("%d answers, by %v, want 2", len(bodies), end)
		}
		synctest.Wait() // who answers still does so before the nodes end
	})
}

// Where nobody answers, or by another gateway, the request does not wait for its
// timeout.
func TestARequestDoesNotWaitForGatewaysInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		gs := []running{w.connect("a", "b"), w.connect("a", "b")}
		a, b := w.clusters["a"], w.clusters["b"]
		answering(t, a.news[1], "near")
		answering(t, b.news[0])
		settle()
		start := time.Now()
		bodies, _, _ := ask(t, a.news[0], channel.Gather{Timeout: time.Minute})
		// The one in b, which says nothing, is waited for: by the gateway, until the
		// request's deadline, and so by who asks.
		if want := []string{"near"}; !slices.Equal(bodies, want) {
			t.Errorf("answers %q, want %q", bodies, want)
		}
		if took := time.Since(start); took < 59*time.Second {
			t.Errorf("it took %v", took)
		}
		answering(t, b.news[0], "far")
		settle()
		start = time.Now()
		bodies, end, _ := ask(t, a.news[0], channel.Gather{Timeout: time.Minute})
		if want := []string{"far", "near"}; !slices.Equal(bodies, want) || end != channel.ByAll || time.Since(start) > time.Second {
			t.Errorf("answers %q, by %v, after %v, want %q", bodies, end, time.Since(start), want)
		}
		if s := total(gs...); s.Forwarded != 2 || s.Left != 2 {
			t.Errorf("the gateways count %+v", s)
		}
	})
}

// The gateway's own node asks, too, also when it waits for other nodes only.
func TestARequestOfTheGatewaysNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		g := w.connect("a", "b")
		answering(t, w.clusters["b"].news[0], "far")
		settle()
		for _, others := range []bool{true, false} {
			bodies, end, _ := ask(t, g.news[0], channel.Gather{Timeout: time.Minute, Others: others})
			if !slices.Equal(bodies, []string{"far"}) || end != channel.ByAll {
				t.Errorf("others %v: answers %q, by %v", others, bodies, end)
			}
		}
	})
}

// An application on a gateway's own node is waited for, and so is the other cluster,
// whichever of them is slow, and whichever gateway it is that asks there.
func TestARequestWaitsForAnApplicationOnTheGatewaysNode(t *testing.T) {
	slow := func(t *testing.T, c *channel.Channel, after time.Duration, body string) {
		sub, err := c.Subscribe(channel.Match{Type: "t"}, func(e *channel.Event) {
			request := e.Clone()
			time.AfterFunc(after, func() { c.Reply(t.Context(), request, channel.Event{Body: []byte(body)}) })
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(sub.Close)
	}
	for near, far := range map[time.Duration]time.Duration{0: time.Second, time.Second: 0} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			gs := []running{w.connect("a", "b"), w.connect("a", "b")}
			slow(t, gs[0].news[0], near, "near 1")
			slow(t, gs[1].news[0], near, "near 2")
			slow(t, w.clusters["b"].news[0], far, "far")
			settle()
			all := []string{"far", "near 1", "near 2"}
			for asks, c := range map[string]*channel.Channel{"another": w.clusters["a"].news[0], "a gateway": gs[0].news[0]} {
				start := time.Now()
				bodies, end, _ := ask(t, c, channel.Gather{Timeout: time.Minute})
				if !slices.Equal(bodies, all) || end != channel.ByAll || time.Since(start) != time.Second {
					t.Errorf("near after %v, far after %v: %s asks and has %q, by %v, after %v, want %q", near, far, asks, bodies, end, time.Since(start), all)
				}
			}
			bodies, end, _ := ask(t, gs[0].news[0], channel.Gather{Timeout: time.Minute, Others: true})
			if !slices.Contains(bodies, "far") || !slices.Contains(bodies, "near 2") || end != channel.ByAll {
				t.Errorf("who waits for others has %q, by %v", bodies, end)
			}
			settle() // who answers still does so before the nodes end
		})
	}
}

func TestManyRequestsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		g := w.connect("a", "b")
		a, b := w.clusters["a"], w.clusters["b"]
		answering(t, b.news[0])
		settle()
		done := make(chan error)
		n := channel.MaxRequests
		for _, c := range a.news[:2] {
			for i := range n {
				go func() {
					_, err := c.Request(t.Context(), channel.Event{Type: "t", Body: fmt.Append(nil, i)}, channel.Gather{Timeout: 10 * time.Second})
					done <- err
				}()
				if i%32 == 31 {
					synctest.Wait() // else the link to the gateway would be full first
				}
			}
		}
		for range 2 * n {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		settle() // the gateway's own waits end at the same time as those who asked
		s := total(g)
		flow := g.Stats()[0]
		if refused := flow.Unsent + flow.Overrun; s.Forwarded != channel.MaxRequests || refused != uint64(2*n)-s.Forwarded {
			t.Errorf("of %d requests: %+v", 2*n, flow)
		}
	})
}
