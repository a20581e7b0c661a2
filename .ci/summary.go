// Command summary reads the output of `go test -json` and writes what a person
// wants of it: a line for each package as it ends, what a failed test printed,
// why a test was skipped, and at the end how many tests passed, failed and
// were skipped. Subtests count. It fails when anything failed; packages in which the
// race detector itself broke are run again first.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// event is a line of `go test -json` (go doc test2json); of a build that
// failed, ImportPath is set in place of Package.
type event struct {
	Action, Package, Test, Output, ImportPath string
	FailedBuild                               string
}

// faults is how often packages are run again whose test binary ended by a fault in
// no test's code, before that counts as a failure: with goroutines that come and go
// in bubbles of testing/synctest the race detector of Go 1.26 does now and then, in
// __tsan::TraceSwitchPartImpl or its StackDepot, whatever is tested (golang/go#78156);
// the registry's tests, which have the most of both, in some hours in one of five runs and in others in two of three.
const faults = 20

func main() {
	s := summary{counts: map[string]int{}, output: map[string][]string{}}
	s.read(os.Stdin)
	for range faults {
		if len(s.faulted) > 0 {
			s.runAgain()
		}
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", s.counts["pass"], s.counts["fail"], s.counts["skip"])
	if s.counts["fail"] > 0 || s.failedPackages > 0 || len(s.faulted) > 0 || s.counts["pass"] == 0 {
		os.Exit(1)
	}
}

type summary struct {
	counts         map[string]int
	failedPackages int
	faulted        []string            // packages that are to be run again
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
	case e.Action == "fail" && s.hasFaulted(e.Package):
		s.faulted = append(s.faulted, e.Package)
		showUnended(e.Package, s.output)
	case e.Action == "fail":
		s.failedPackages++
		showUnended(e.Package, s.output)
	}
	show(e, s.output[key])
	delete(s.output, key)
}

// hasFaulted says whether a test of the package that has not ended printed that
// there was a fault.
func (s *summary) hasFaulted(pkg string) bool {
	for key, lines := range s.output {
		if !strings.HasPrefix(key, pkg+" ") {
			continue
		}
		for _, line := range lines {
			switch line { // a fault in Go code is a panic, and says so
			case "fatal error: fault\n", "SIGSEGV: segmentation violation\n":
				return true
			}
		}
	}
	return false
}

// runAgain runs the packages that faulted.
func (s *summary) runAgain() {
	pkgs := s.faulted
	s.faulted = nil
	fmt.Println("again, after a fault:", strings.Join(pkgs, " "))
	test := exec.Command("go", append([]string{"test", "-race", "-count=1", "-json", "-timeout", "15m"}, pkgs...)...)
	test.Stderr = os.Stderr
	out, err := test.StdoutPipe()
	if err == nil {
		err = test.Start()
	}
	if err != nil {
		fmt.Println("summary:", err)
		s.failedPackages++
		return
	}
	s.read(out)
	_ = test.Wait() // what failed is among the events
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
