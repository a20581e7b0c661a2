package channels_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent/channels"
	"kecho/agent/cloudevents"
	"kecho/channel"
	"kecho/channel/channeltest"
)

func tables(t *testing.T, n int) (all []*channels.Table, nodes []*channel.Node) {
	nodes, _ = channeltest.Nodes(t, n)
	channeltest.Open(t, "data", nodes...)
	for _, node := range nodes {
		all = append(all, channels.New(channels.Config{Own: []string{"data", "resources"}, Node: func() *channel.Node { return node }}))
	}
	return all, nodes
}

func open(t *testing.T, table *channels.Table, name string) *channels.Channel {
	t.Helper()
	c, made, err := table.Open(name)
	if err != nil || !made {
		t.Fatalf("open %s: %v %v", name, made, err)
	}
	return c
}

func event(more ...any) cloudevents.Event {
	e := cloudevents.Event{Attributes: map[string]any{"id": "1", "source": "/a", "type": "t"}}
	for i := 0; i+1 < len(more); i += 2 {
		e.Attributes[more[i].(string)] = more[i+1]
	}
	return e
}

// An event comes out at the other node as it went in, with its kecho
// extensions, and in the log of the first one too.
func TestPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, nodes := tables(t, 2)
		a, b := open(t, all[0], "work"), open(t, all[1], "work")
		synctest.Wait()
		e := event("n", int64(7), "yes", true, "subject", "s", "kechopriority", "urgent", "kechottl", "5s", "kechoid", "forged")
		e.Data = []byte(`{"x":1}`)
		ids, err := a.Publish(t.Context(), []cloudevents.Event{e})
		if err != nil || a.Sinks() != 1 {
			t.Fatalf("%v, %d sinks", err, a.Sinks())
		}
		synctest.Wait()
		want := fmt.Sprintf(`{"specversion":"1.0","id":"1","source":"/a","type":"t","kechoid":"%v","kechopriority":"urgent","kechottl":"5s","n":7,"subject":"s","yes":true,"data":{"x":1}}`, ids[0])
		for i, c := range []*channels.Channel{a, b} {
			page := c.Log().After(c.Log().Start())
			if len(page.Items) != 1 || string(page.Items[0].Data) != want {
				t.Errorf("at %d: %+v, want %s", i, page.Items, want)
			}
		}
		info, err := all[0].Info("work")
		if err != nil || info.Own || len(info.Sinks) != 1 || info.Sinks[0].Node != nodes[1].ID() || info.Stats.Submitted != 1 || !strings.HasSuffix(info.Last, "-1") {
			t.Errorf("%+v, %v", info, err)
		}
	})
}

// What was submitted otherwise has an id and a source, and only attributes that
// CloudEvents can have.
func TestForeign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, nodes := tables(t, 2)
		a := open(t, all[0], "work")
		there := channeltest.Open(t, "work", nodes[1])[0]
		channeltest.AwaitSinks(t, there, 1)
		id, err := there.Submit(t.Context(), channel.Event{Type: "t", Body: []byte{0xff}, Re: there.NextID(), Attrs: channel.Attrs{
			channel.Key[float64]("load").Of(0.5), channel.Key[int64]("big").Of(1 << 40), channel.Key[bool]("Job.Id").Of(true), channel.Key[bool]("data").Of(true),
			channel.Key[string]("source").Of("::"), channel.Key[string]("time").Of("noon"), channel.Key[string]("subject").Of("two\nlines"),
		}})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		var got map[string]any
		if err := json.Unmarshal(a.Log().After(a.Log().Start()).Items[0].Data, &got); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"specversion": "1.0", "id": id.String(), "kechoid": id.String(), "source": "urn:kecho:node:" + id.Source.String(), "type": "t", "subject": "two\nlines",
			"load": "0.5", "big": "1099511627776", "data_base64": "/w==", "kechore": channel.ID{Source: id.Source, Seq: id.Seq - 1}.String(),
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

func TestTableRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, _ := tables(t, 1)
		table := all[0]
		check := func(what string, err, want error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
		}
		for _, name := range []string{"", "a/b", "ä", "..", strings.Repeat("x", 65)} {
			_, _, err := table.Open(name)
			check(name, err, channels.ErrName)
		}
		for _, name := range []string{"data", "resources"} {
			_, _, err := table.Open(name)
			check(name, err, channels.ErrOwn)
		}
		_, err := table.At("data")
		check("events of data", err, channels.ErrOwn)
		check("close data", table.Close("data"), channels.ErrOwn)
		check("close nothing", table.Close("nothing"), channels.ErrUnknown)
		check("hold", table.Hold("alerts"), nil)
		check("close what is held", table.Close("alerts"), channels.ErrHeld)
		c := open(t, table, "c1")
		if again, made, err := table.Open("c1"); again != c || made || err != nil {
			t.Errorf("opened again: %v %v", made, err)
		}
		for i := 2; i < channels.MaxChannels; i++ {
			open(t, table, fmt.Sprint("c", i))
		}
		_, _, err = table.Open("more")
		check("one more", err, channels.ErrMany)
		check("close", table.Close("c1"), nil)
		if !c.Log().After(c.Log().Start()).End {
			t.Error("the readers are not ended")
		}
		_, err = c.Publish(t.Context(), []cloudevents.Event{event()})
		check("publish on what is closed", err, channels.ErrClosed)
		open(t, table, "c1")
		if n := len(table.List()); n != channels.MaxChannels+1 {
			t.Errorf("%d channels", n)
		}
	})
}

// Of a batch with one event that is wrong none is submitted.
func TestPublishRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, _ := tables(t, 1)
		c := open(t, all[0], "work")
		long := event()
		long.Data = make([]byte, channel.MaxBody+1)
		many := event()
		for i := range channel.MaxAttrs {
			many.Attributes[fmt.Sprint("a", i)] = true
		}
		for _, tt := range []struct {
			event cloudevents.Event
			is    error
			want  string
		}{
			{event("type", strings.Repeat("t", 65)), channels.ErrEvent, "type has 65 bytes"},
			{event("x", strings.Repeat("t", 1025)), channels.ErrEvent, "x has 1025 bytes"},
			{event("kechore", "7"), channels.ErrEvent, "kechore: event id"},
			{event("kechopriority", "high"), channels.ErrEvent, `"high": want urgent, normal or bulk`},
			{event("kechottl", "-1s"), channels.ErrEvent, `"-1s" is not a duration above 0`},
			{many, channels.ErrEvent, "34 attributes besides type"},
			{long, channels.ErrLarge, "bytes of data"},
		} {
			_, err := c.Publish(t.Context(), []cloudevents.Event{event(), tt.event})
			if !errors.Is(err, tt.is) || !strings.Contains(fmt.Sprint(err), "event 2 of 2: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		}
		synctest.Wait()
		if page := c.Log().After(c.Log().Start()); len(page.Items) > 0 {
			t.Errorf("published: %+v", page.Items)
		}
	})
}

// A publisher without an end is stopped, another channel is not, and what the
// log has no room for is a gap.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, _ := tables(t, 1)
		c, other := open(t, all[0], "flood"), open(t, all[0], "other")
		batch := make([]cloudevents.Event, 250)
		for i := range batch {
			batch[i] = event()
		}
		taken := 0
		for range 2 * channels.MaxRate / len(batch) {
			if _, err := c.Publish(t.Context(), batch); err == nil {
				taken += len(batch)
			} else if !errors.Is(err, channels.ErrFast) {
				t.Fatal(err)
			}
		}
		info, err := all[0].Info("flood")
		if err != nil || info.Refused != channels.MaxRate {
			t.Errorf("%d refused, %v", info.Refused, err)
		}
		if taken != channels.MaxRate {
			t.Errorf("%d events at once, want %d", taken, channels.MaxRate)
		}
		if _, err := other.Publish(t.Context(), batch); err != nil {
			t.Errorf("another channel: %v", err)
		}
		time.Sleep(time.Second / 2)
		if _, err := c.Publish(t.Context(), batch); err != nil {
			t.Errorf("after a while: %v", err)
		}
		synctest.Wait()
		at, _ := c.Log().Behind(strings.TrimSuffix(c.Log().ID(c.Log().Now()), fmt.Sprint(c.Log().Now().At)) + "0")
		got, missed := 0, 0
		for rest := true; rest; {
			page := c.Log().After(at)
			got, missed, rest, at = got+len(page.Items), missed+int(page.Missed), page.Rest, page.Next
		}
		if got+missed != taken+len(batch) || missed == 0 {
			t.Errorf("%d items and a gap of %d, want %d in all", got, missed, taken+len(batch))
		}
	})
}
