package policy

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what is said into the scripts")

// playAll plays the scripts that match, each on a new machine. A script is blocks
// of commands, "----" and what they say, up to an empty line; "#" begins a
// comment.
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
	var out strings.Builder
	said, skip := "", false
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		command, _, _ := strings.Cut(line, "#")
		switch {
		case line == "----":
			out.WriteString(line + "\n" + said)
			said, skip = "", true
			continue
		case line == "":
			skip = false
		case skip:
			continue // what it said before
		case strings.TrimSpace(command) != "":
			answer, err := run(strings.Fields(command))
			if err != nil {
				return "", fmt.Errorf("line %d: %w", i+1, err)
			}
			said += answer
		}
		if line == "" && said != "" {
			return "", fmt.Errorf("line %d: no ---- after the commands", i+1)
		}
		out.WriteString(line + "\n")
	}
	if said != "" {
		return "", fmt.Errorf("no ---- after the last commands")
	}
	return out.String(), nil
}
