package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"kecho/agent/api"
	"kecho/agent/channels"
	"kecho/agent/cloudevents"
	"kecho/agent/news"
	"kecho/channel"
	"kecho/channel/channeltest"
	"kecho/channel/memnet"
)

// apiNet serves the channel work of n nodes, each at http://10.0.0.1:7940 and
// so on, over a network in memory.
func apiNet(t *testing.T, n int) (tables []*channels.Table, client *http.Client) {
	t.Helper()
	nodes, _ := channeltest.Nodes(t, n)
	net := memnet.New(memnet.Config{})
	for i, node := range nodes {
		table := channels.New(channels.Config{Node: func() *channel.Node { return node }})
		if _, _, err := table.Open("work"); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
		host := net.Host(fmt.Sprint("10.0.0.", i+1))
		l, err := host.Listen(":7940")
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: serving(api.Config{Channels: table})}
		go server.Serve(l)
		t.Cleanup(func() {
			server.Close()
			table.End()
			now, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			table.Wait(now)
		})
	}
	return tables, &http.Client{Transport: &http.Transport{DialContext: net.Host("10.0.0.99").Dial, DisableKeepAlives: true}}
}

// socketServer is apiNet of one node, with what opens websockets on it.
func socketServer(t *testing.T) (table *channels.Table, open func(query string) *websocket.Conn) {
	tables, client := apiNet(t, 1)
	return tables[0], func(query string) *websocket.Conn {
		t.Helper()
		conn, _, err := websocket.Dial(t.Context(), "ws://10.0.0.1:7940/v1/channels/work/stream"+query, &websocket.DialOptions{
			HTTPClient: client, Subprotocols: []string{"cloudevents.json"},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.CloseNow() })
		return conn
	}
}

// next reads a message as a CloudEvent.
func next(t *testing.T, conn *websocket.Conn) (e struct {
	ID, Type, Source, KechoID, KechoCursor string
	Data                                   map[string]any
}) {
	t.Helper()
	_, text, err := conn.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return e
}

func say(t *testing.T, conn *websocket.Conn, text string) {
	t.Helper()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func message(id int, source, kind string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":%q,"type":%q}`, id, source, kind)
}

// What is sent is answered in its order, and arrives where it is selected.
func TestWebsocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, open := socketServer(t)
		writer, all, some := open("?receive=false"), open(""), open("?type=b&source=/x,/y")
		if p := writer.Subprotocol(); p != "cloudevents.json" {
			t.Errorf("subprotocol %q", p)
		}
		synctest.Wait()
		for i, tt := range []struct{ text, kind, id, want string }{
			{message(1, "/x", "a"), "kecho.published", "1", ""},
			{`{`, "kecho.refused", "", "invalid message: the event is no JSON"},
			{`{"specversion":"1.0","id":"2","type":"b"}`, "kecho.refused", "", "invalid message: a CloudEvent needs the attributes specversion, id, source and type: missing source"},
			{`{"specversion":"1.0","id":"3","source":"/x","type":"b","kechottl":"x"}`, "kecho.refused", "3", `invalid a channel cannot carry it: the attribute kechottl: "x" is not a duration above 0, such as 1.5s`},
			{strings.Repeat("[", 17), "kecho.refused", "", "invalid the message has more than 16 levels"},
			{message(4, "/z", "b"), "kecho.published", "4", ""},
			{message(5, "/y", "b"), "kecho.published", "5", ""},
		} {
			say(t, writer, tt.text)
			got := next(t, writer)
			why := ""
			if got.Type == "kecho.refused" {
				why = fmt.Sprint(got.Data["code"], " ", got.Data["detail"])
			}
			if got.Type != tt.kind || got.Data["id"] != tt.id || !strings.HasPrefix(why, tt.want) || got.KechoCursor != "" || got.ID != fmt.Sprint(i+1) {
				t.Errorf("%s: %+v", tt.text, got)
			}
		}
		var cursor string
		for _, id := range []string{"1", "4", "5"} {
			got := next(t, all)
			if got.ID != id || got.KechoCursor == "" || got.KechoID == "" {
				t.Errorf("%+v, want %s", got, id)
			}
			if cursor == "" {
				cursor = got.KechoCursor
			}
		}
		if got := next(t, some); got.ID != "5" {
			t.Errorf("%+v, want only what is selected", got)
		}
		again := open("?after=" + cursor)
		if got := next(t, again); got.ID != "4" {
			t.Errorf("behind the cursor %+v", got)
		}
		lost := open("?after=00-9")
		if got := next(t, lost); got.Type != "kecho.gap" || got.Data["missed"] != 0.0 {
			t.Errorf("of another life %+v", got)
		}
		if err := table.Close("work"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := all.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("after the channel was closed: %v", err)
		}
		// The others say nothing to it, and are cut off.
	})
}

func TestWebsocketClosedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, open := socketServer(t)
		for _, tt := range []struct {
			kind websocket.MessageType
			size int
			code websocket.StatusCode
		}{
			{websocket.MessageBinary, 1, websocket.StatusUnsupportedData},
			{websocket.MessageText, 64<<10 + 1, websocket.StatusMessageTooBig},
		} {
			conn := open("")
			if err := conn.Write(t.Context(), tt.kind, make([]byte, tt.size)); err != nil {
				t.Fatal(err)
			}
			if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != tt.code {
				t.Errorf("%v, want %v", err, tt.code)
			}
		}
		conn := open("")
		conn.Close(websocket.StatusNormalClosure, "")
		synctest.Wait() // its end is seen at once
	})
}

// A reader that never reads is cut off when it has not taken a message in 10
// seconds, one that is gone when it answers no ping; neither holds up anybody.
func TestWebsocketUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, open := socketServer(t)
		stuck, idle, good := open(""), open("?type=none"), open("")
		_, _ = stuck, idle
		c, err := table.At("work")
		if err != nil {
			t.Fatal(err)
		}
		began, got := time.Now(), 0
		for ; got < 200; got++ { // of 16 KiB each: more than the network holds
			say(t, good, fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"/x","type":"t","data":{"x":%q}}`, got, strings.Repeat("x", 16<<10)))
			for ack, event := false, false; !ack || !event; {
				e := next(t, good)
				ack, event = ack || e.Type == "kecho.published", event || e.Type == "t"
			}
		}
		if time.Since(began) > 0 {
			t.Errorf("the good reader was held up for %v", time.Since(began))
		}
		if n := kept(c.Log()); n > 64 {
			t.Errorf("%d items of 16 KiB are kept", n)
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if n := table.Readers(); n != 2 {
			t.Errorf("%d readers, want two without the one that does not read", n)
		}
		ctx := good.CloseRead(t.Context()) // answers pings
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if n := table.Readers(); n != 1 || ctx.Err() != nil {
			t.Errorf("%d readers, want the one that answers pings", n)
		}
	})
}

// kept is how many items a log has.
func kept(log *news.Log) (n int) {
	for page := log.After(log.Start()); len(page.Items) > 0; page = log.After(page.Next) {
		n += len(page.Items)
	}
	return n
}

// The same holds of the other streams.
func TestStreamsUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tables, client := apiNet(t, 1)
		const events = "http://10.0.0.1:7940/v1/channels/work/events"
		for _, accept := range []string{"text/event-stream", "application/x-ndjson"} {
			r, _ := http.NewRequestWithContext(t.Context(), "GET", events, nil)
			r.Header.Set("Accept", accept)
			res, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close() // unread
		}
		body := fmt.Sprintf(`{"specversion":"1.0","id":"1","source":"/x","type":"t","data":%q}`, strings.Repeat("x", 16<<10))
		began := time.Now()
		for range 200 {
			if status, answer := requestBy(t, client, "POST "+events, body, "Content-Type", oneEvent); status != 202 {
				t.Fatalf("%d %s", status, answer)
			}
		}
		if took := time.Since(began); took > 0 || tables[0].Readers() != 2 {
			t.Errorf("the publisher was held up for %v by %d readers", took, tables[0].Readers())
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if n := tables[0].Readers(); n != 0 {
			t.Errorf("%d readers that do not read", n)
		}
		status, answer := requestBy(t, client, "GET "+events, "")
		var page api.ChannelEvents
		if err := json.Unmarshal([]byte(answer), &page); err != nil || status != 200 || len(page.Items) != 3 { // with their attributes four are more than 64 KiB
			t.Errorf("%d, %v, %d items of 16 KiB on a page", status, err, len(page.Items))
		}
	})
}

// A publisher that is too fast is held back, not refused.
func TestWebsocketFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, open := socketServer(t)
		conn := open("?receive=false")
		c, err := table.At("work")
		if err != nil {
			t.Fatal(err)
		}
		var batch []cloudevents.Event
		for range cloudevents.MaxBatch {
			batch = append(batch, cloudevents.Event{Attributes: map[string]any{"id": "1", "source": "/x", "type": "t"}})
		}
		for err == nil { // somebody else has taken all that there is now
			_, err = c.Publish(t.Context(), batch)
		}
		const n = channels.MaxRate / 10
		go func() {
			for i := range n {
				if conn.Write(t.Context(), websocket.MessageText, []byte(message(i, "/x", "t"))) != nil {
					return
				}
			}
		}()
		began := time.Now()
		for i := range n {
			if got := next(t, conn); got.Type != "kecho.published" || got.Data["id"] != fmt.Sprint(i) {
				t.Fatalf("%d: %+v", i, got)
			}
		}
		if took := time.Since(began); took < 80*time.Millisecond || took > 150*time.Millisecond { // fake time
			t.Errorf("%d events in %v", n, took)
		}
	})
}

func TestWebsocketRefused(t *testing.T) {
	_, _, addr := channelServer(t)
	request(t, "PUT", addr+"/v1/channels/work", "")
	upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="}
	for _, tt := range []struct {
		path   string
		header []string
		status int
		want   string
	}{
		{"nothing/stream", upgrade, 404, `"code": "not_found"`},
		{"data/stream", upgrade, 409, "the agent's own"},
		{"work/stream?after=x", upgrade, 422, `query.after: \"x\" is no item's id`},
		{"work/stream?typ=x", upgrade, 422, "query.typ: unknown"},
		{"work/stream", append(upgrade[:len(upgrade):len(upgrade)], "Sec-WebSocket-Protocol", "mqtt, cloudevents.avro"), 400, "want cloudevents.json"},
		{"work/stream", append(upgrade[:len(upgrade):len(upgrade)], "Origin", "http://evil.test"), 403, "a page of another site"},
		{"work/stream", append(upgrade[:len(upgrade):len(upgrade)], "Sec-Fetch-Site", "cross-site"), 403, "a page of another site"},
		{"work/stream", nil, 426, `"code": "usage"`},
		{"work/stream", append(upgrade[:6:6], "Sec-WebSocket-Key", "a2VjaG8="), 400, "invalid Sec-WebSocket-Key"},
	} {
		if status, body := request(t, "GET", addr+"/v1/channels/"+tt.path, "", tt.header...); status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s %v: %d %s", tt.path, tt.header, status, body)
		}
	}
	for i := range channels.MaxReaders + 1 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(addr, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /v1/channels/work/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
		answer := make([]byte, len("HTTP/1.1 101"))
		if _, err := conn.Read(answer); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]string{true: "101", false: "503"}[i < channels.MaxReaders]; !strings.HasSuffix(string(answer), want) {
			t.Fatalf("reader %d: %s", i+1, answer)
		}
	}
}
