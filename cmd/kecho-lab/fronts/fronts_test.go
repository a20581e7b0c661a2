package fronts

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"
)

// stand serves s until the test ends, and is where it is.
func stand(t *testing.T, s Stand) string {
	t.Helper()
	r, w := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, s, w) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	line, err := bufio.NewReader(r).ReadBytes('\n')
	var at Address
	if err != nil || json.Unmarshal(line, &at) != nil {
		t.Fatalf("%q, %v", line, err)
	}
	return at.At
}

// TestStands: through each of them the clients get the web server's answers.
func TestStands(t *testing.T) {
	web := stand(t, Stand{Kind: Web, Size: 1024})
	for _, kind := range []string{"", Relay, Splice, ReverseProxy} {
		at := web
		if kind != "" {
			at = stand(t, Stand{Kind: kind, To: web})
		}
		load, err := Connect(t.Context(), at, 4, 1024)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if n, err := load.Run(t.Context(), 20*time.Millisecond); err != nil || n < 4 {
			t.Errorf("%s: %d answers, %v", kind, n, err)
		}
		took, err := load.Pace(t.Context(), 50*time.Millisecond, 1000)
		if err != nil || len(took) != 50 || took[49] <= 0 {
			t.Errorf("%s: paced %d, %v", kind, len(took), err)
		}
		if lost, err := load.Again(); lost != 0 {
			t.Errorf("%s: %d connections are lost: %v", kind, lost, err)
		}
		if err := Fetch(t.Context(), at, 3<<20+1); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		load.Close()
		if lost, _ := load.Again(); lost != 4 {
			t.Errorf("%s: %d of 4 closed connections are lost", kind, lost)
		}
	}
}

// TestWrongAnswers: what is not the answer that was to come is an error.
func TestWrongAnswers(t *testing.T) {
	web := stand(t, Stand{Kind: Web, Size: 10})
	if _, err := Connect(t.Context(), web, 1, 5); !errors.Is(err, errAnswer) {
		t.Errorf("an answer that is too long: %v", err)
	}
	dead := stand(t, Stand{Kind: ReverseProxy, To: "127.0.0.1:1"})
	if _, err := Connect(t.Context(), dead, 1, 0); !errors.Is(err, errAnswer) {
		t.Errorf("a 502: %v", err)
	}
	if err := Serve(t.Context(), Stand{Kind: "magic"}, io.Discard); err == nil {
		t.Error("there is a stand magic")
	}
}
