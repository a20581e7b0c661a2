package resmgr

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kecho/channel"
)

// TestAskerScenarios runs the scripts in testdata/asker; see scene.run for
// their words.
func TestAskerScenarios(t *testing.T) {
	playAll(t, "testdata/asker/*.txt", func() func([]string) (string, error) { return new(scene).run })
}

// scene is a rig that is driven by words.
type scene struct {
	*rig
	copies map[string]Recovered // of disks
	said   strings.Builder
}

// run does one command; what the nodes say is printed:
//
//	nodes a:cpu=4 b:cpu=4,gpu=1 c    c has no manager; "a:cpu=4/gpu=1" has a and a2
//	at 10ms ...        sets the clock, does what is due, then the rest, if any
//	request a x cpu=2 nodes=2 wait=10s ttl=10s by=spread select=zone=a id=i holder=h
//	                   a client of a asks x; "trial": a dry run
//	deliver            all that is on its way and comes of it, writes too;
//	                   "deliver ab": the first from a to b; "deliver b": to b
//	drop ab, double ab the first from a to b is lost; comes once more
//	written b, full b  what b's manager writes is on the disk; is not
//	cancel x           its client is gone
//	renew a h b:1 10s, release a h b:1
//	save b, restore b  keeps a copy of b's disks; puts it back
//	kill b, start b, leave b, join b, cut ab, heal
//	doubt a b          a takes b for gone; it is not
//	held a, flight
func (s *scene) run(words []string) (string, error) {
	s.said.Reset()
	if words[0] == "nodes" {
		return "", s.setUp(words[1:])
	}
	if s.rig == nil {
		return "", fmt.Errorf("%s before nodes", words[0])
	}
	err := s.command(words)
	return s.said.String(), err
}

func (s *scene) setUp(words []string) error {
	s.copies = map[string]Recovered{}
	s.rig = &rig{cut: map[[2]string]bool{}, log: func(string, ...any) {}}
	for _, w := range words {
		name, all, _ := strings.Cut(w, ":")
		var shares []GranterConfig
		for i, text := range strings.Split(all, "/") {
			if text == "" {
				continue
			}
			amounts, err := ParseAmounts(text)
			if err != nil {
				return err
			}
			cfg := GranterConfig{Name: name, Capacity: amounts, Settle: -1, MaxTTL: time.Minute}
			if i > 0 {
				cfg.Name = fmt.Sprint(name, i+1)
			}
			shares = append(shares, cfg)
		}
		s.add(name, shares...)
	}
	for _, n := range s.nodes {
		s.start(n)
	}
	for len(s.flight) > 0 {
		s.deliver(0, false)
	}
	s.log = func(format string, args ...any) { fmt.Fprintf(&s.said, format, args...) }
	return nil
}

func (s *scene) node(name string) (*rigNode, error) {
	i := slices.IndexFunc(s.nodes, func(n *rigNode) bool { return n.name == name })
	if i < 0 {
		return nil, fmt.Errorf("there is no node %s", name)
	}
	return s.nodes[i], nil
}

func (s *scene) command(words []string) error {
	switch what, rest := words[0], words[1:]; what {
	case "at":
		at, err := time.ParseDuration(rest[0])
		if err != nil || at < s.now {
			return fmt.Errorf("at %s: not a time, or the past", rest[0])
		}
		for next, ok := s.next(); ok && next <= at; next, ok = s.next() {
			s.now = max(s.now, next)
			s.tick()
		}
		s.now = at
		if len(rest) > 1 {
			return s.command(rest[1:])
		}
	case "request":
		return s.request(rest)
	case "deliver", "drop", "double":
		return s.message(what, rest)
	case "cancel":
		for _, a := range s.asks {
			if a.name == rest[0] && !a.over {
				a.over = true
				s.do(a.at, nil, a.at.asker.Cancel(s.now, a.Asking, nil))
			}
		}
	case "heal":
		clear(s.cut)
	case "cut":
		s.cut[[2]string{rest[0][:1], rest[0][1:]}] = true
		s.cut[[2]string{rest[0][1:], rest[0][:1]}] = true
	case "flight":
		for _, f := range s.flight {
			s.log("%s -> %s: %s\n", s.named(f.from), s.named(f.to), f.m.Kind)
		}
	default:
		n, err := s.node(rest[0])
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return s.at1(what, n, rest[1:])
	}
	return nil
}

// at1 is what happens at one node.
func (s *scene) at1(what string, n *rigNode, words []string) error {
	switch what {
	case "renew", "release":
		id, err := ParseLeaseID(words[1])
		if err != nil {
			return err
		}
		c := &Call{Lease: id}
		var out []Effect
		if what == "release" {
			out, err = n.asker.Release(s.now, c, words[0], nil)
		} else {
			ttl, _ := time.ParseDuration(strings.Join(words[2:], ""))
			out, err = n.asker.Renew(s.now, c, words[0], ttl, nil)
		}
		if err != nil {
			s.log("%s: %v\n", n.name, err)
		}
		s.do(n, nil, out)
	case "written", "full":
		for _, m := range n.managed {
			if len(m.pending) > 0 {
				s.written(n, m, len(m.pending), what == "full")
			}
		}
	case "save", "restore":
		for name, disk := range n.disks {
			if what == "restore" {
				*disk = s.copies[name].Clone()
			}
			s.copies[name] = disk.Clone()
		}
	case "doubt":
		other, err := s.node(words[0])
		if err != nil {
			return err
		}
		s.peerGone(n, other.id)
	case "kill":
		s.kill(n)
	case "start":
		s.start(n)
	case "leave":
		for _, m := range n.managed {
			s.do(n, m, m.Leave(s.now, nil))
		}
	case "join":
		for _, m := range n.managed {
			s.do(n, m, m.Join(s.now, nil))
		}
	case "held":
		for _, l := range n.asker.Held() {
			s.log("%v %s/%s %v until %v\n", l.ID, l.Holder, l.Request, l.Amounts, l.Until.Sub(time.Unix(0, 0)))
		}
		if len(n.asker.Held()) == 0 {
			s.log("nothing\n")
		}
	default:
		return fmt.Errorf("unknown command %q", what)
	}
	return nil
}

func (s *scene) request(words []string) error {
	n, err := s.node(words[0])
	if err != nil {
		return err
	}
	o := options(words[3:])
	r := Request{ID: o["id"], Holder: "h", Nodes: number(o, "nodes"), TTL: duration(o, "ttl"), Wait: duration(o, "wait")}
	if o["holder"] != "" {
		r.Holder = o["holder"]
	}
	if r.TTL == 0 {
		r.TTL = 10 * time.Second
	}
	if r.Needs, err = ParseAmounts(words[2]); err != nil {
		return err
	}
	if r.Selector, err = ParseSelector(o["select"]); err != nil {
		return err
	}
	if r.Criteria, err = ParseCriteria(o["by"]); err != nil {
		return err
	}
	_, trial := o["trial"]
	a, err := s.open(n, words[1], r, trial)
	if err != nil {
		s.log("%s: %s %v\n", n.name, words[1], err)
	} else if a.Asking.Data != a {
		s.log("%s: %s is known: %s\n", n.name, words[1], a.outcome())
	}
	return nil
}

func (s *scene) message(what string, words []string) error {
	if len(words) == 0 {
		for s.work() {
		}
		return nil
	}
	link := words[0]
	for {
		i := slices.IndexFunc(s.flight, func(f flying) bool {
			from, to := s.named(f.from), s.named(f.to)
			return len(link) == 1 && to == link || from+to == link
		})
		if i < 0 {
			if len(link) == 1 {
				return nil
			}
			return fmt.Errorf("nothing is on its way %s", link)
		}
		if what == "drop" {
			s.log("lost: %v\n", s.flight[i].m.Kind)
			s.flight = slices.Delete(s.flight, i, i+1)
		} else {
			s.deliver(i, what == "double")
		}
		if len(link) == 2 {
			return nil
		}
	}
}

// work delivers one message, or has one disk write all; false when there is
// nothing.
func (s *scene) work() bool {
	if len(s.flight) > 0 {
		s.deliver(0, false)
		return true
	}
	for _, n := range s.nodes {
		for _, m := range n.managed {
			if len(m.pending) > 0 {
				s.written(n, m, len(m.pending), false)
				return true
			}
		}
	}
	return false
}

// TestAnswersBeforeAsked: an answer that is faster than the news of who was asked
// is not taken for everybody's.
func TestAnswersBeforeAsked(t *testing.T) {
	s := NewAsker(AskerConfig{NextID: func() channel.ID { return channel.ID{Source: 1, Seq: 1} }})
	a, _, _, err := s.Open(0, Request{Holder: "h", Needs: Amounts{{CPU, 1000}}}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	no := Message{Kind: MsgRefuse, Ask: a.ask, Managers: 1, Manager: "web1", Reason: Reason{Code: CodeNoRoom}}
	if out := s.Receive(0, 7, 0, &no, nil); len(out) != 0 || a.Over() {
		t.Fatalf("after one of nobody knows how many: %v", out)
	}
	if out := s.Asked(0, a, []channel.NodeID{7, 8}, false, nil); len(out) != 0 || a.Over() {
		t.Fatalf("after one of two: %v", out)
	}
	no.Manager = "web2"
	if s.Receive(0, 8, 0, &no, nil); !a.Over() || len(a.Reasons) != 2 {
		t.Errorf("after two of two: over %v, reasons %v", a.Over(), a.Reasons)
	}
}
