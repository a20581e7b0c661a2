package policy

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestCoreScenarios runs the scripts in testdata/core; see scene.run for their
// words.
func TestCoreScenarios(t *testing.T) {
	playAll(t, "testdata/core/*.txt", func() func([]string) (string, error) { return new(scene).run })
}

// scene is a rig that is driven by words.
type scene struct {
	*rig
	said strings.Builder
}

// run does one command; what the cores say is printed:
//
//	nodes abc places=1 hard=2 mode=offers service=40ms trip=1ms queue=4 bytes=64 age=500ms (or endless)
//	      copies=2 after=50ms cancel=start share=0.2 backups=1
//	at 10ms ...       sets the clock, does what is due, then the rest, if any
//	arrive a x        a's client asks x; "fixed": it cannot move, "once": it
//	                  is not repeatable, "large", "light", "500ms": how long it waits,
//	                  "u0" to "u7": its urgency, "3kb": what it holds
//	deliver           all that is on its way, and what comes of it; "deliver
//	                  ab": only the first from a to b; "deliver a": to a
//	drop ab, double ab  the first from a to b is lost; comes once more
//	finish x          its web server has an answer, or b's: "finish x b";
//	                  "unreached", "broken", "faulty"
//	leave x           its client is gone
//	load b 0.5 2      everybody hears b's load, and its service in ms
//	down a, up a, drain a, raise a, lower a, kill a
//	unsent x b        the link to b did not take x; "fix": it cannot move
//	flight            what is on its way
//	state a, next a
func (s *scene) run(words []string) (string, error) {
	s.said.Reset()
	if words[0] == "nodes" {
		return s.open(words[1:])
	}
	if s.rig == nil {
		return "", fmt.Errorf("%s before nodes", words[0])
	}
	err := s.command(words)
	return s.said.String(), err
}

func (s *scene) open(words []string) (string, error) {
	cfg, trip := Config{Places: 1, Mode: Pull, Service: 40 * time.Millisecond}, time.Millisecond
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		if err := set(&cfg, &trip, key, value); err != nil {
			return "", fmt.Errorf("%s: %w", word, err)
		}
	}
	if err := cfg.Check(); err != nil {
		return "error: " + err.Error() + "\n", nil
	}
	var names []Peer
	for _, letter := range words[0] {
		names = append(names, Peer(letter))
	}
	s.rig = newRig(names, cfg)
	for _, p := range names {
		s.cores[p].SetRoundTrip(trip)
	}
	s.log = func(format string, args ...any) { fmt.Fprintf(&s.said, format, args...) }
	return "", nil
}

// set is one word of nodes.
func set(cfg *Config, trip *time.Duration, key, value string) (err error) {
	n, wrong := strconv.Atoi(value)
	d, bad := time.ParseDuration(value)
	switch key {
	case "places":
		cfg.Places, err = n, wrong
	case "hard":
		cfg.Hard, err = n, wrong
	case "queue":
		cfg.Queue, err = n, wrong
	case "bytes":
		cfg.QueueBytes, err = int64(n)<<10, wrong
	case "mode":
		cfg.Mode, _ = ModeNamed(value)
	case "service":
		cfg.Service, err = d, bad
	case "trip":
		*trip, err = d, bad
	case "age":
		if cfg.ShedAge, err = d, bad; value == "endless" {
			cfg.ShedAge, err = Endless, nil
		}
	case "copies":
		cfg.Copies.Most, err = n, wrong
	case "after":
		cfg.Copies.After, err = d, bad
	case "cancel":
		cfg.Copies.Cancel = map[string]Ending{"start": OnStart, "none": Never}[value]
	case "backups":
		cfg.Copies.Share, err = strconv.ParseFloat(value, 64)
	case "share":
		cfg.Budget.Share, err = strconv.ParseFloat(value, 64)
		cfg.Budget.Rate = .001
	default:
		err = errors.New("an unknown word")
	}
	return err
}

func (s *scene) command(words []string) error {
	switch what, rest := words[0], words[1:]; what {
	case "at":
		now, err := time.ParseDuration(rest[0])
		if err != nil || now < s.now {
			return fmt.Errorf("at %s: not a time, or the past", rest[0])
		}
		s.now = now
		s.tick()
		if len(rest) > 1 {
			return s.command(rest[1:])
		}
	case "arrive":
		return s.request(rest)
	case "deliver", "drop", "double":
		return s.message(what, rest)
	case "finish", "leave":
		return s.ending(what, rest)
	case "unsent":
		return s.unsent(rest)
	case "flight":
		for _, f := range s.flight {
			s.log("%c -> %c: %s\n", f.from, f.to, f.word())
		}
	default:
		return s.node(what, rest)
	}
	return nil
}

func (s *scene) request(words []string) error {
	c := &call{name: words[1]}
	c.Movable, c.Repeatable = true, true
	for _, word := range words[2:] {
		switch d, err := time.ParseDuration(word); {
		case word == "fixed":
			c.Movable = false
		case word == "once":
			c.Repeatable = false
		case word == "large":
			c.Large = true
		case word == "light":
			c.Light = true
		case word[0] == 'u':
			c.Class = Class(word[1]-'0') - 3
		case strings.HasSuffix(word, "kb"):
			c.Bytes, _ = strconv.ParseInt(word[:len(word)-2], 10, 64)
			c.Bytes <<= 10
		case err == nil:
			c.Timeout = d
		default:
			return fmt.Errorf("unknown word %q", word)
		}
	}
	s.arrive(Peer(words[0][0]), c)
	if c.phase == queued && len(c.asked) == 0 {
		s.log("%s: wait %s\n", words[0], c.name)
	}
	return nil
}

func (s *scene) message(what string, words []string) error {
	if len(words) == 0 {
		for len(s.flight) > 0 {
			s.deliver(0, false)
		}
		return nil
	}
	link := words[0]
	for {
		i := slices.IndexFunc(s.flight, func(f flying) bool {
			return len(link) == 1 && f.to == Peer(link[0]) || len(link) == 2 && f.from == Peer(link[0]) && f.to == Peer(link[1])
		})
		if i < 0 {
			if len(link) == 1 {
				return nil
			}
			return fmt.Errorf("nothing is on its way %s", link)
		}
		if what == "drop" {
			s.log("lost: %s\n", s.flight[i].word())
			s.flight = slices.Delete(s.flight, i, i+1)
		} else {
			s.deliver(i, what == "double")
		}
		if len(link) == 2 {
			return nil
		}
	}
}

func (s *scene) unsent(words []string) error {
	i := slices.IndexFunc(s.calls, func(c *call) bool { return c.name == words[0] })
	if i < 0 {
		return fmt.Errorf("there is no request %s", words[0])
	}
	c := s.calls[i]
	if len(words) > 2 {
		s.cores[c.owner].Fix(&c.Request)
	}
	s.do(c.owner, s.cores[c.owner].Unsent(s.now, &c.Request, Peer(words[1][0]), nil))
	return nil
}

func (f flying) word() string {
	if f.m.Kind == 0 {
		return map[bool]string{false: "answer", true: "failure"}[f.failed]
	}
	return f.m.Kind.String()
}

func (s *scene) ending(what string, words []string) error {
	i := slices.IndexFunc(s.calls, func(c *call) bool { return c.name == words[0] })
	if i < 0 {
		return fmt.Errorf("there is no request %s", words[0])
	}
	if what == "leave" {
		s.leave(s.calls[i])
		return nil
	}
	res, place := Served, Peer(0)
	for _, word := range words[1:] {
		if len(word) == 1 {
			place = Peer(word[0])
		} else {
			res = map[string]Result{"unreached": Unreached, "broken": Broken, "faulty": Faulty}[word]
		}
	}
	at := slices.IndexFunc(s.served, func(v *service) bool {
		return v.call == s.calls[i] && (place == 0 || place == v.at)
	})
	if at < 0 {
		return fmt.Errorf("%s runs nowhere", words[0])
	}
	s.finish(at, res)
	return nil
}

func (s *scene) node(what string, words []string) error {
	if len(words) == 0 || s.cores[Peer(words[0][0])] == nil {
		return fmt.Errorf("%s which node?", what)
	}
	p := Peer(words[0][0])
	c := s.cores[p]
	switch what {
	case "down", "up":
		s.do(p, c.SetUp(s.now, what == "up", nil))
	case "drain":
		c.Drain()
	case "raise", "lower":
		s.do(p, c.SetOverflow(s.now, what == "raise", nil))
	case "kill":
		s.kill(p)
	case "load":
		load, _ := strconv.ParseFloat(words[1], 64)
		ms, _ := strconv.Atoi(words[2])
		for q, other := range s.cores {
			if q != p {
				other.Hear(s.now, p, Report{Load: load, Places: c.cfg.Places, Service: time.Duration(ms) * time.Millisecond})
			}
		}
	case "next":
		if at, ok := c.Next(); ok {
			s.log("at %v\n", at)
		} else {
			s.log("never\n")
		}
	case "state":
		s.log("running %d, held %d, queued %d, guests %d, own %d, load %.3g of %d\n",
			c.running, c.held, c.queue.len(), len(c.guests), len(c.own), c.Report().Load, c.Report().Places)
	default:
		return fmt.Errorf("unknown command %q", what)
	}
	return nil
}

func TestConfigCheck(t *testing.T) {
	if err := (Config{Places: 1}).Check(); err != nil {
		t.Error("the smallest configuration:", err)
	}
	for _, cfg := range []Config{{}, {Places: -1}, {Places: 1, Queue: -1}, {Places: 1, QueueBytes: -1}, {Places: 1, ShedAge: -1}, {Places: 1, Timeout: -1},
		{Places: 1, Service: -1}, {Places: 1, MessageCost: -1}, {Places: 1, Mode: Speculative + 1}, {Places: 1, Mode: Hedge, Copies: Copies{Cancel: OnStart}},
		{Places: 1, Copies: Copies{Most: -1}}, {Places: 1, Copies: Copies{Share: 2}}, {Places: 1, Copies: Copies{Most: 6}}, {Places: 1, Copies: Copies{After: -1}}, {Places: 1, Copies: Copies{Quantile: 1}},
		{Places: 1, Copies: Copies{Quantile: math.NaN()}}, {Places: 1, Copies: Copies{To: Least + 1}}, {Places: 1, Copies: Copies{Cancel: Never + 1}}} {
		if cfg.Check() == nil {
			t.Errorf("%+v passes", cfg)
		}
	}
}
