package resmgr

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kecho/channel"
)

// TestGranterScenarios runs the scripts in testdata/granter; see bench.run for
// their words.
func TestGranterScenarios(t *testing.T) {
	playAll(t, "testdata/granter/*.txt", func() func([]string) (string, error) { return new(desk).run })
}

// desk is one manager, driven by words.
type desk struct {
	cfg     GranterConfig
	now     time.Duration
	g       *Granter
	journal Recovered // what is on the disk
	pending []Effect  // writes on their way
	said    strings.Builder
}

// run does one command; what the manager says is printed:
//
//	manager cpu=4,gpu=1 tags=zone=a settle=1s ttl=1h holder=1000 queue=1000 ephemeral
//	at 10ms ...        sets the clock, does what is due, then the rest, if any
//	ask 1.2 h cpu=2 id=x wait=1s ttl=10s select=zone=a trial
//	                   node 1's second attempt, for the holder h
//	accept 1.2, decline 1.2, undo 1.2
//	renew 1.3 h 7 ttl=10s, release 1.3 h 7      lease 7, by its holder h
//	written            everything is on the disk; "written 1": the first
//	full               the disk takes nothing of what is on its way
//	gone 1             node 1 is gone
//	seen 12            somebody remembers fence 12
//	leave, join, restart (with what is on the disk), next, state, report
func (d *desk) run(words []string) (string, error) {
	d.said.Reset()
	if words[0] != "manager" && d.g == nil {
		return "", fmt.Errorf("%s before manager", words[0])
	}
	err := d.command(words)
	return d.said.String(), err
}

func (d *desk) command(words []string) (err error) {
	var out []Effect
	switch what, rest := words[0], words[1:]; what {
	case "manager":
		return d.open(rest)
	case "at":
		at, err := time.ParseDuration(rest[0])
		if err != nil || at < d.now {
			return fmt.Errorf("at %s: not a time, or the past", rest[0])
		}
		d.now = at
		d.do(d.g.Tick(at, nil))
		if len(rest) > 1 {
			return d.command(rest[1:])
		}
	case "ask", "accept", "decline", "undo", "renew", "release":
		out, err = d.message(what, rest)
	case "written":
		out = d.written(rest)
	case "full":
		last := d.pending[len(d.pending)-1].Seq
		d.pending = nil
		out = d.g.Written(d.now, last, errors.New("no space left on device"), nil)
	case "gone":
		n, _ := strconv.Atoi(rest[0])
		out = d.g.PeerGone(d.now, channel.NodeID(n), nil)
	case "seen":
		n, _ := strconv.Atoi(rest[0])
		out = d.g.Receive(d.now, 9, &Message{Kind: MsgSeen, Manager: "m", Fence: Fence(n)}, nil)
	case "leave":
		out = d.g.Leave(d.now, nil)
	case "join":
		out = d.g.Join(d.now, nil)
	case "restart":
		d.pending = nil
		d.g, err = NewGranter(d.cfg, d.now, d.journal.Clone())
	default:
		return d.look(what)
	}
	d.do(out)
	return err
}

func (d *desk) open(words []string) error {
	amounts, err := ParseAmounts(words[0])
	if err != nil {
		return err
	}
	o := options(words[1:])
	_, ephemeral := o["ephemeral"]
	d.cfg = GranterConfig{Name: "m", Capacity: amounts, Tags: parseTags(o["tags"]), MaxTTL: duration(o, "ttl"), Ephemeral: ephemeral,
		Settle: duration(o, "settle"), PerHolder: number(o, "holder"), MaxQueue: number(o, "queue")}
	if d.cfg.Settle == 0 {
		d.cfg.Settle = -1
	}
	d.g, err = NewGranter(d.cfg, d.now, d.journal.Clone())
	return err
}

func (d *desk) message(what string, words []string) ([]Effect, error) {
	id, err := askID(words[0])
	if err != nil {
		return nil, err
	}
	m := Message{Manager: "m", Ask: id, Kind: MessageKind(slices.Index(messageNames[:], what))}
	o := options(words[1:])
	m.TTL = duration(o, "ttl")
	switch what {
	case "ask":
		m.Kind, m.Manager, m.Holder, m.ID, m.Selector = MsgRequest, "", words[1], o["id"], o["select"]
		if m.Needs, err = ParseAmounts(words[2]); err != nil {
			return nil, err
		}
		_, m.Trial = o["trial"]
		m.Wait = duration(o, "wait")
		if m.TTL == 0 {
			m.TTL = 10 * time.Second
		}
	case "renew", "release":
		n, _ := strconv.Atoi(words[2])
		m.Holder, m.Fence = words[1], Fence(n)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return d.g.Receive(d.now, id.Source, &m, nil), nil
}

func (d *desk) written(words []string) []Effect {
	n := len(d.pending)
	if len(words) > 0 {
		n, _ = strconv.Atoi(words[0])
	}
	if n == 0 {
		return nil
	}
	for _, e := range d.pending[:n] {
		d.journal.Apply(e.Record)
	}
	last := d.pending[n-1].Seq
	d.pending = slices.Clone(d.pending[n:])
	return d.g.Written(d.now, last, nil, nil)
}

func (d *desk) do(out []Effect) {
	for _, e := range out {
		if e.Do == DoWrite {
			d.pending = append(d.pending, e)
			fmt.Fprintf(&d.said, "write %s %d\n", recordNames[e.Record.Kind], e.Record.Fence)
			continue
		}
		if err := e.Message.check(); err != nil {
			fmt.Fprintf(&d.said, "A PEER WOULD REFUSE: %v\n", err)
		}
		fmt.Fprintf(&d.said, "-> %d: %s\n", uint64(e.To), e.Message.word())
	}
}

func (d *desk) look(what string) error {
	switch what {
	case "next":
		if at, ok := d.g.Next(); ok {
			fmt.Fprintf(&d.said, "at %v\n", at)
		} else {
			d.said.WriteString("never\n")
		}
	case "state":
		s := d.g.Status(d.now)
		fmt.Fprintf(&d.said, "free %v of %v, %d leases, %d wait, fence %d", s.Free, s.Capacity, s.Leases, s.Waiting, s.Fence)
		if s.Closed.Code != "" {
			fmt.Fprintf(&d.said, "; %s", s.Closed)
		}
		leases, left := d.g.Granted(d.now)
		for i, l := range leases {
			fmt.Fprintf(&d.said, "; %s %s %v for %v", l.ID, l.Holder, l.Amounts, left[i])
		}
		d.said.WriteString("\n")
	case "report":
		fmt.Fprintf(&d.said, "%s\n", d.g.Report(d.now).word())
	default:
		return fmt.Errorf("unknown command %q", what)
	}
	return nil
}

func TestGranterConfig(t *testing.T) {
	good := GranterConfig{Name: "m", Capacity: Amounts{{CPU, 1000}}}
	if _, err := NewGranter(good, 0, Recovered{}); err != nil {
		t.Error(err)
	}
	for want, bad := range map[string]GranterConfig{
		"name":  {Capacity: good.Capacity},
		"kinds": {Name: "m"},
		"tag":   {Name: "m", Capacity: good.Capacity, Tags: Tags{"a b": ""}},
	} {
		if _, err := NewGranter(bad, 0, Recovered{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// TestReasonsTravel: whatever an error of the journal says, a peer takes it.
func TestReasonsTravel(t *testing.T) {
	for _, said := range []string{"write /état/leases.db: " + strings.Repeat("é", 200), "two\nlines\x00", "\xff\xfe" + strings.Repeat("x", 300)} {
		g := busy(t, 1)
		out := g.Receive(0, 1, &Message{Kind: MsgRequest, Ask: channel.ID{Source: 1, Seq: 1}, Holder: "h", Needs: Amounts{{CPU, 1}}, TTL: time.Second}, nil)
		out = g.Receive(0, 1, &Message{Kind: MsgAccept, Ask: channel.ID{Source: 1, Seq: 1}}, out[:0])
		out = g.Written(0, g.seq, errors.New(said), out[:0])
		m := out[0].Message
		if m.Kind != MsgRefuse || m.check() != nil || m.Reason.Detail == "" {
			t.Errorf("%+v: %v", m, m.check())
		}
	}
}
