package api_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent/cloudevents"
)

// mute is a websocket that reads and sends nothing, pongs neither.
type mute struct{ in *bufio.Reader }

// read is the next message of that opcode, which is short of 64 KiB.
func (m mute) read(opcode byte) (string, error) {
	for {
		var head [2]byte
		if _, err := io.ReadFull(m.in, head[:]); err != nil {
			return "", err
		}
		size := uint16(head[1])
		if size == 126 {
			if err := binary.Read(m.in, binary.BigEndian, &size); err != nil {
				return "", err
			}
		}
		text := make([]byte, size)
		if _, err := io.ReadFull(m.in, text); err != nil {
			return "", err
		}
		if head[0]&0x0f == opcode {
			return string(text), nil
		}
	}
}

// Who owes a pong has what comes meanwhile at once, and is cut off when it does not
// send it in 10 seconds.
func TestWebsocketEventsDoNotWaitForPongs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tables, client := apiNet(t, 1)
		conn, err := client.Transport.(*http.Transport).DialContext(t.Context(), "tcp", "10.0.0.1:7940")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET /v1/channels/work/stream HTTP/1.1\r\nHost: 10.0.0.1:7940\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		m := mute{bufio.NewReader(conn)}
		if res, err := http.ReadResponse(m.in, nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
			t.Fatal(res, err)
		}
		if _, err := m.read(0x9); err != nil {
			t.Fatalf("no ping: %v", err)
		}
		pinged := time.Now()
		c, err := tables[0].At("work")
		if err != nil {
			t.Fatal(err)
		}
		e := cloudevents.Event{Attributes: map[string]any{cloudevents.ID: "1", cloudevents.Source: "/x", cloudevents.Type: "t"}}
		if _, err := c.PublishInTurn(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		text, err := m.read(0x1)
		if took := time.Since(pinged); err != nil || !strings.Contains(text, `"id":"1"`) || took > 0 {
			t.Errorf("%q, %v, after %v", text, err, took)
		}
		if _, err := m.read(0x1); err == nil || time.Since(pinged) != 10*time.Second {
			t.Errorf("cut off after %v: %v", time.Since(pinged), err)
		}
	})
}
