// Command summary reads the output of `go test -json` and writes what a person
// wants of it: a line for each package as it ends, what a failed test printed,
// why a test was skipped, and at the end how many tests passed, failed and
// were skipped. Subtests count. It fails when anything failed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is a line of `go test -json` (go doc test2json); of a build that
// failed, ImportPath is set in place of Package.
type event struct {
	Action, Package, Test, Output, ImportPath string
	FailedBuild                               string
}

func main() {
	s := summary{counts: map[string]int{}, output: map[string][]string{}}
	s.read(os.Stdin)
	fmt.Printf("%d passed, %d failed, %d skipped\n", s.counts["pass"], s.counts["fail"], s.counts["skip"])
	if s.counts["fail"] > 0 || s.failedPackages > 0 || s.counts["pass"] == 0 {
		os.Exit(1)
	}
}

type summary struct {
	counts         map[string]int
	failedPackages int
	output         map[string][]string // by package and test, until it ends
}

// read takes events until they end.
func (s *summary) read(from io.Reader) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Println(lines.Text()) // not from a test: the go command's own words
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "build-output":
			fmt.Print(e.Output)
		case "output":
			s.output[key] = append(s.output[key], e.Output)
		case "pass", "fail", "skip":
			s.end(e, key)
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Println("summary:", err)
		s.failedPackages++
	}
}

// end counts and shows a test or a package that has ended.
func (s *summary) end(e event, key string) {
	switch {
	case e.Test != "":
		s.counts[e.Action]++
	case e.Action == "fail":
		s.failedPackages++
		showUnended(e.Package, s.output)
	}
	show(e, s.output[key])
	delete(s.output, key)
}

// show writes what e's test or package printed, as far as it matters: all of a
// failure, the reason of a skip, a package's last line.
func show(e event, output []string) {
	switch {
	case e.Action == "fail":
		fmt.Print(strings.Join(output, ""))
	case e.Test != "" && e.Action == "skip":
		fmt.Printf("skip %s %s: %s", e.Package, e.Test, reason(output))
	case e.Test == "":
		for _, line := range output {
			if strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "? ") {
				fmt.Print(line)
			}
		}
	}
}

// lastWords is how many lines are shown of what a test said that had not ended
// when its package failed: a panic, or a test binary that was killed.
const lastWords = 150

func showUnended(pkg string, output map[string][]string) {
	for key, lines := range output {
		if test, of := strings.CutPrefix(key, pkg+" "); of && test != "" {
			fmt.Printf("%s %s did not end; it said at last:\n%s", pkg, test, strings.Join(lines[max(0, len(lines)-lastWords):], ""))
			delete(output, key)
		}
	}
}

// reason is what the test said between its start and its end.
func reason(output []string) string {
	for _, line := range output {
		if !strings.HasPrefix(line, "===") && !strings.HasPrefix(strings.TrimSpace(line), "---") {
			return strings.TrimLeft(line, " ")
		}
	}
	return "no reason given\n"
}
