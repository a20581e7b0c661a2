package policy

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
)

var update = flag.Bool("update", false, "write what is said into the scripts")

// TestScenarios runs the scripts in testdata. A script is blocks of commands,
// "----" and what they say, up to an empty line; "#" begins a comment. See
// script.run for the commands.
func TestScenarios(t *testing.T) {
	playAll(t, "testdata/*.txt", func() func([]string) (string, error) { return new(script).run })
}

// playAll plays the scripts that match, each on a new machine.
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

// script is a gate that is driven by words.
type script struct {
	gate    *Gate
	now     time.Duration
	tickets map[string]*Ticket
}

// run does one command:
//
//	gate soft=1 hard=1 queue=4 age=500ms forward=0s   a new gate, at 0 s
//	at 10ms ...     sets the clock, then does the rest, if any
//	arrive a        a request comes; "arrive a movable": a peer may serve it
//	finish          a place is given back
//	back a          no peer took a, or the web server did not
//	leave a         a's client is gone
//	due             everything that is due now, one after the other
//	next            when something is due
//	room            a peer seems to have room
//	admit           a peer asks for a place
//	down, up        the web server is out of reach, or is not any more
//	raise, cancel   overflow is raised, or is not any more
//	drain, state
func (s *script) run(words []string) (string, error) {
	if words[0] == "gate" {
		return s.open(words[1:])
	}
	if s.gate == nil {
		return "", fmt.Errorf("%s before gate", words[0])
	}
	switch words[0] {
	case "at":
		return s.at(words[1:])
	case "arrive", "back", "leave":
		return s.ticket(words)
	}
	if len(words) > 1 {
		return "", fmt.Errorf("%s takes no words", words[0])
	}
	switch words[0] {
	case "finish":
		if next := s.gate.Finish(s.now); next != nil {
			return name(next) + ": start\n", nil
		}
		return "nobody starts\n", nil
	case "due":
		return s.due(), nil
	case "room":
		if t := s.gate.Room(s.now); t != nil {
			return name(t) + ": overflow\n", nil
		}
		return "nobody leaves\n", nil
	case "next":
		if at, ok := s.gate.Next(); ok {
			return fmt.Sprintf("at %v\n", at), nil
		}
		return "never\n", nil
	case "admit":
		return map[bool]string{true: "admitted\n", false: "refused\n"}[s.gate.Admit()], nil
	case "down":
		s.gate.SetDown(true)
		return "down\n", nil
	case "up":
		return s.up(), nil
	case "raise", "cancel":
		s.gate.SetOverflow(words[0] == "raise")
		return words[0] + "\n", nil
	case "drain":
		s.gate.Drain()
		return "draining\n", nil
	case "state":
		return s.state(), nil
	}
	return "", fmt.Errorf("unknown command %q", words[0])
}

func (s *script) open(words []string) (string, error) {
	limits := Limits{Soft: 1, Hard: 1, Queue: 4, QueueAge: 500 * time.Millisecond}
	numbers := map[string]*int{"soft": &limits.Soft, "hard": &limits.Hard, "queue": &limits.Queue}
	times := map[string]*time.Duration{"age": &limits.QueueAge, "forward": &limits.ForwardAfter}
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		var err error
		if n := numbers[key]; n != nil {
			*n, err = strconv.Atoi(value)
		} else if d := times[key]; d != nil {
			*d, err = time.ParseDuration(value)
		} else {
			err = fmt.Errorf("unknown limit %q", key)
		}
		if err != nil {
			return "", err
		}
	}
	if err := limits.Check(); err != nil {
		return "error: " + err.Error() + "\n", nil
	}
	*s = script{gate: NewGate(limits), tickets: make(map[string]*Ticket)}
	return "ok\n", nil
}

func (s *script) at(words []string) (string, error) {
	if len(words) == 0 {
		return "", fmt.Errorf("at which time?")
	}
	now, err := time.ParseDuration(words[0])
	if err != nil || now < s.now {
		return "", fmt.Errorf("at %s: not a time, or the past", words[0])
	}
	s.now = now
	if len(words) == 1 {
		return "", nil
	}
	return s.run(words[1:])
}

func (s *script) ticket(words []string) (string, error) {
	if len(words) < 2 {
		return "", fmt.Errorf("%s which ticket?", words[0])
	}
	t := s.tickets[words[1]]
	if (t == nil) != (words[0] == "arrive") {
		return "", fmt.Errorf("%s: the ticket is known already, or not at all", strings.Join(words, " "))
	}
	var v Verdict
	switch words[0] {
	case "arrive":
		t = &Ticket{Movable: len(words) == 3 && words[2] == "movable", Data: words[1]}
		s.tickets[words[1]] = t
		v = s.gate.Arrive(s.now, t)
	case "back":
		v = s.gate.Back(s.now, t)
	case "leave":
		s.gate.Leave(t)
		return "", nil
	}
	return fmt.Sprintf("%s: %v\n", words[1], v), nil
}

func (s *script) due() string {
	var out strings.Builder
	for {
		t, v := s.gate.Due(s.now)
		if t == nil {
			break
		}
		fmt.Fprintf(&out, "%s: %v\n", name(t), v)
	}
	if out.Len() == 0 {
		return "nothing is due\n"
	}
	return out.String()
}

func (s *script) up() string {
	s.gate.SetDown(false)
	out := "up\n"
	for t := s.gate.Wake(); t != nil; t = s.gate.Wake() {
		out += name(t) + ": start\n"
	}
	return out
}

func (s *script) state() string {
	state := s.gate.State()
	out := fmt.Sprintf("running %d of %d, queued %d, load %.3g, capacity %d",
		state.Running, state.Soft, state.Queued, state.Load(), state.Capacity())
	if state.Down {
		out += ", down"
	}
	if state.Overflow {
		out += ", overflow"
	}
	if state.Draining {
		out += ", draining"
	}
	return out + "\n"
}

func name(t *Ticket) string { return t.Data.(string) }

func TestScriptErrors(t *testing.T) {
	for _, text := range []string{
		"state\n----\n", "gate\n", "gate\n\n----\n", "gate soft=x\n----\n", "gate sft=1\n----\n",
		"gate\nback a\n----\n", "gate\narrive a\narrive a\n----\n", "gate\narrive\n----\n",
		"gate\nat 2s\nat 1s\n----\n", "gate\nat\n----\n", "gate\njump\n----\n", "gate\nstate now\n----\n",
	} {
		if out, err := play(text, new(script).run); err == nil {
			t.Errorf("the script %q plays as %q", text, out)
		}
	}
}

func TestCheck(t *testing.T) {
	good := Limits{Soft: 1, Hard: 1, Queue: 1, QueueAge: 1}
	if err := good.Check(); err != nil {
		t.Error("the smallest limits:", err)
	}
	for name, change := range map[string]func(*Limits){
		"soft":             func(l *Limits) { l.Soft = 0 },
		"hard":             func(l *Limits) { l.Soft = 2 },
		"queue":            func(l *Limits) { l.Queue = 0 },
		"age":              func(l *Limits) { l.QueueAge = 0 },
		"before a forward": func(l *Limits) { l.ForwardAfter = -1 },
	} {
		l := good
		change(&l)
		if err := l.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v, want an error about %s", l, err, name)
		}
	}
}

// TestNobodyOvertakes: when the web server is up again, nobody gets a place
// before those that wait are woken.
func TestNobodyOvertakes(t *testing.T) {
	g := NewGate(Limits{Soft: 1, Hard: 1, Queue: 2, QueueAge: time.Hour})
	var first, second, third Ticket
	g.Arrive(0, &first)
	g.Arrive(0, &second)
	g.SetDown(true)
	g.Finish(0)
	g.SetDown(false)
	if g.Admit() {
		t.Error("a peer's request was admitted over one that waits")
	}
	if v := g.Arrive(0, &third); v != Wait {
		t.Errorf("one that came later: %v, want wait", v)
	}
	if next := g.Wake(); next != &second {
		t.Error("the one that waited does not start")
	}
}
