package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestReadme runs the sessions of README.md, in order, each console block's
// commands as they stand there. What a command prints must have the shape of
// what the README shows: the same lines but for numbers, times and lengths of
// columns.
//
// Two things are changed, so that the test can run beside others: the ports,
// all by the same amount, and `go run ./cmd/kecho`, which is the binary that
// the other tests use.
func TestReadme(t *testing.T) { runSessions(t, "README.md", 4) }

// TestLeasesDoc does the same with docs/leases.md.
func TestLeasesDoc(t *testing.T) { runSessions(t, "docs/leases.md", 3) }

// TestFederationDoc does the same with docs/federation.md.
func TestFederationDoc(t *testing.T) { runSessions(t, "docs/federation.md", 2) }

// TestChannelsDoc does the same with docs/channels.md.
func TestChannelsDoc(t *testing.T) { runSessions(t, "docs/channels.md", 8) }

// TestFiltersDoc does the same with docs/filters.md.
func TestFiltersDoc(t *testing.T) { runSessions(t, "docs/filters.md", 6) }

func runSessions(t *testing.T, file string, least int) {
	text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	s := &session{file: file, dir: t.TempDir(), shift: freeShift(t)}
	if err := os.Symlink(kecho(t), filepath.Join(s.dir, "kecho")); err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < least {
		t.Fatalf("%s has %d console blocks, want %d", file, len(blocks), least)
	}
	for _, block := range blocks {
		for _, step := range steps(block[1]) {
			s.run(t, step)
		}
	}
}

// step is one command and what the README says that it prints.
type step struct {
	command string
	want    []string
}

func steps(block string) (all []step) {
	for line := range strings.Lines(block) {
		line = strings.TrimRight(line, "\n")
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			all = append(all, step{command: command})
		} else if len(all) > 0 {
			last := &all[len(all)-1]
			last.want = append(last.want, line)
		}
	}
	return all
}

// session is a shell whose ports are shifted.
type session struct {
	file  string
	dir   string
	shift int
}

var port = regexp.MustCompile(`127\.0\.0\.1:(\d+)`)

// shifted is text with every port of 127.0.0.1 moved.
func (s *session) shifted(text string) string {
	return port.ReplaceAllStringFunc(text, func(addr string) string {
		_, p, _ := strings.Cut(addr, ":")
		n, _ := strconv.Atoi(p)
		return fmt.Sprintf("127.0.0.1:%d", n+s.shift)
	})
}

func (s *session) run(t *testing.T, step step) {
	t.Helper()
	line := strings.Replace(s.shifted(step.command), "go run ./cmd/kecho", "kecho", 1)
	if strings.HasSuffix(line, "&") {
		s.start(t, line)
		return
	}
	// Who types has given the agents a moment to meet; so does the test.
	var got string
	for start := time.Now(); time.Since(start) < settlePatience/4; {
		var stdout, stderr bytes.Buffer
		cmd := s.command(line)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("$ %s\n%v\n%s%s", line, err, &stdout, &stderr)
		}
		if got = stdout.String(); s.difference(step, got) == "" {
			return
		}
		time.Sleep(250 * time.Millisecond)
	}
	t.Error(s.difference(step, got))
}

// command is the shell's for a line of the README.
func (s *session) command(line string) *exec.Cmd {
	script := "exec " + strings.TrimSuffix(line, "&")
	if strings.Contains(line, "|") {
		script = line
	}
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Env = append(os.Environ(), "PATH="+s.dir+":"+os.Getenv("PATH"), "NO_COLOR=1", "TMPDIR="+s.dir)
	for flag, addr := range map[string]string{ // what the defaults are
		"KECHO_LISTEN": "127.0.0.1:8080", "KECHO_ADMIN": "127.0.0.1:7940", "KECHO_BIND": "127.0.0.1:7946",
		"KECHO_API": "http://127.0.0.1:7940",
	} {
		cmd.Env = append(cmd.Env, flag+"="+s.shifted(addr))
	}
	return cmd
}

// start runs a command of the README that ends in &, until the test ends.
func (s *session) start(t *testing.T, line string) {
	t.Helper()
	cmd, stderr := s.command(line), new(bytes.Buffer)
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("$ %s\n%v", line, err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Errorf("$ %s\nended early: %v\n%s", line, err, stderr)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("$ %s\n%v\n%s", line, err, stderr)
		}
	})
	// The commands stand there to be typed one after the other, so each is
	// given the time until it listens.
	for _, addr := range port.FindAllString(line, -1)[:1] {
		for range 200 {
			if conn, err := net.Dial("tcp", addr); err == nil {
				conn.Close()
				break
			}
			time.Sleep(25 * time.Millisecond)
		}
	}
}

// difference is where what was printed differs from what the file shows; ""
// when it does not.
func (s *session) difference(step step, got string) string {
	lines := strings.Split(strings.TrimRight(got, "\n"), "\n")
	for i := range max(len(lines), len(step.want)) {
		var have, want string
		if i < len(lines) {
			have = lines[i]
		}
		if i < len(step.want) {
			want = step.want[i]
		}
		if shape(have) != shape(want) {
			return fmt.Sprintf("$ %s\nline %d is\n%s\nand in %s\n%s", step.command, i+1, have, s.file, want)
		}
	}
	return ""
}

var (
	ids     = regexp.MustCompile(`\b([0-9a-f]{16}|[A-Z2-7]{26})\b`)
	numbers = regexp.MustCompile(`[0-9]+([.:-][0-9]+)*( ?(ns|µs|ms|s)\b)?`)
	blanks  = regexp.MustCompile(`\s+`)
)

// shape is a line without what differs from run to run.
func shape(line string) string {
	line = ids.ReplaceAllString(line, "1")
	line = numbers.ReplaceAllString(line, "N")
	line = strings.ReplaceAll(line, " - ", " N ")
	return strings.TrimSpace(blanks.ReplaceAllString(line, " "))
}

// freeShift is a number that can be added to the README's ports.
func freeShift(t *testing.T) int {
	t.Helper()
	for shift := 11000; shift < 40000; shift += 500 {
		if allFree(shift, 7940, 7941, 7946, 7947, 7956, 7957, 7966, 7967, 8080, 8081, 9000, 9001) {
			return shift
		}
	}
	t.Fatal("no free ports for the README's session")
	return 0
}

func allFree(shift int, ports ...int) bool {
	for _, p := range ports {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p+shift))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}
