package resmgr

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kecho/channel"
)

var update = flag.Bool("update", false, "write what is said into the scripts")

// playAll plays the scripts that match, each on a new machine. A script is
// blocks of commands, "----" and what they say, up to an empty line; "#" begins
// a comment.
func playAll(t *testing.T, pattern string, machine func() func(words []string) (string, error)) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts:", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := play(string(want), machine())
			if err != nil {
				t.Fatal(file, err)
			}
			if *update && !bytes.Equal(want, []byte(got)) {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Error("it says otherwise (-update rewrites the script):\n" + diff)
			}
		})
	}
}

// play runs a script and returns it with what the commands said.
func play(text string, run func(words []string) (string, error)) (string, error) {
	var out, said strings.Builder
	skip := false
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		command, _, _ := strings.Cut(line, "#")
		switch words := strings.Fields(command); {
		case line == "----":
			out.WriteString(line + "\n" + said.String())
			said.Reset()
			skip = true
			continue
		case line == "":
			skip = false
		case skip:
			continue // what it said before
		case len(words) > 0:
			answer, err := run(words)
			if err != nil {
				return "", fmt.Errorf("line %d: %w", i+1, err)
			}
			said.WriteString(answer)
		}
		if line == "" && said.Len() > 0 {
			return "", fmt.Errorf("line %d: no ---- after the commands", i+1)
		}
		out.WriteString(line + "\n")
	}
	if said.Len() > 0 {
		return "", fmt.Errorf("no ---- after the last commands")
	}
	return out.String(), nil
}

// options reads name=value words; a word alone has the value "".
func options(words []string) map[string]string {
	all := map[string]string{}
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		all[name] = value
	}
	return all
}

// duration is the option's time, 0 without one.
func duration(o map[string]string, name string) time.Duration {
	d, _ := time.ParseDuration(o[name])
	return d
}

func number(o map[string]string, name string) int {
	n, _ := strconv.Atoi(o[name])
	return n
}

// askID reads "1.2": the second attempt of node 1.
func askID(word string) (channel.ID, error) {
	source, seq, ok := strings.Cut(word, ".")
	a, err := strconv.ParseUint(source, 10, 64)
	b, wrong := strconv.ParseUint(seq, 10, 64)
	if !ok || err != nil || wrong != nil {
		return channel.ID{}, fmt.Errorf("%q is no ask: want NODE.NUMBER", word)
	}
	return channel.ID{Source: channel.NodeID(a), Seq: b}, nil
}

func askWord(id channel.ID) string { return fmt.Sprintf("%d.%d", uint64(id.Source), id.Seq) }

// word is a message as the scripts show it.
func (m Message) word() string {
	var b strings.Builder
	b.WriteString(m.Kind.String())
	if !m.Ask.IsZero() {
		b.WriteString(" " + askWord(m.Ask))
	}
	if m.Fence > 0 {
		fmt.Fprintf(&b, " lease %d", m.Fence)
	}
	if m.Holder != "" {
		b.WriteString(" " + m.Holder)
	}
	if m.ID != "" {
		b.WriteString("/" + m.ID)
	}
	if m.Needs != nil {
		fmt.Fprintf(&b, " %v", m.Needs)
	}
	if m.Trial {
		b.WriteString(" trial")
	}
	if m.Free != nil {
		fmt.Fprintf(&b, " free %v", m.Free)
	}
	if m.Wait > 0 {
		fmt.Fprintf(&b, " for %v", m.Wait)
	}
	if m.Reason.Code != "" {
		fmt.Fprintf(&b, " [%s] %s", m.Reason.Code, m.Reason)
	}
	return b.String()
}

var recordNames = map[RecordKind]string{RecordLease: "lease", RecordEnd: "end", RecordFence: "fence", RecordBehind: "behind", RecordWhole: "whole"}
