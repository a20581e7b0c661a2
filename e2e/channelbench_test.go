package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"kecho/cmd/kecho-lab/live"
)

// benchChannel sends events for a second to two sinks and is what came of it.
func benchChannel(t *testing.T, flags ...string) live.ChannelResult {
	t.Helper()
	args := append([]string{lab(t), "bench", "channel", "--sinks", "2", "--seconds", "1", "--rate", "100", "-o", "json"}, flags...)
	p := start(t, loopback(), "kecho-lab", args...)
	if code := p.wait(t, settlePatience); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	_, text, _ := strings.Cut(p.out.String(), "\n{") // what is before are notes
	var res live.ChannelResult
	if err := json.Unmarshal([]byte("{"+text), &res); err != nil {
		t.Fatal(err)
	}
	return res
}

// complete reports what was not measured, or was lost.
func complete(t *testing.T, res live.ChannelResult, runs int, names string) {
	t.Helper()
	if len(res.Runs) != runs {
		t.Fatalf("%d runs, want %d", len(res.Runs), runs)
	}
	for _, r := range res.Runs {
		var got []string
		for _, took := range r.Took {
			got = append(got, took.Name)
			if took.Events == 0 || took.Lost != 0 || took.CPU == 0 || took.PerSecond == 0 || took.KechoCPU.Ratio == 0 {
				t.Errorf("%v: %+v: want events, and none lost", r.ChannelLoad, took)
			}
			if paced := r.Rate > 0; paced != (took.P50 > 0 && took.P99 >= took.P50 && took.KechoP50.Ratio > 0) {
				t.Errorf("%v: %+v: want times where there is a rate", r.ChannelLoad, took)
			}
		}
		want := names
		if r.Rate == 0 {
			want = strings.ReplaceAll(strings.ReplaceAll(want, " kecho-queue", ""), " kecho-quic-queue", "")
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v: measured %v, want %s", r.ChannelLoad, got, want)
		}
	}
}

func TestBenchChannel(t *testing.T) {
	res := benchChannel(t, "--quic", "--size", "1000")
	complete(t, res, 3, "kecho kecho-queue kecho-quic kecho-quic-queue")
}

func TestBenchChannelBesideNATS(t *testing.T) {
	needTool(t, "nats-server", "nats-server")
	res := benchChannel(t, "--nats")
	complete(t, res, 3, "kecho kecho-queue nats")
	if !strings.HasPrefix(res.NATS, "nats-server: v") {
		t.Errorf("the server's version is %q", res.NATS)
	}
}
