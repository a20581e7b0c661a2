package resmgr

import (
	"strings"
	"testing"
	"time"

	"kecho/channel"
)

func TestMessageCheck(t *testing.T) {
	good := Message{Kind: MsgRequest, Holder: "h", Needs: Amounts{{CPU, 1}}, TTL: time.Second}
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]Message{
		"no kind":            {},
		"a later kind":       {Kind: messageKinds, Manager: "m"},
		"no manager":         {Kind: MsgAccept},
		"a long manager":     {Kind: MsgAccept, Manager: longText(65)},
		"a wrong manager":    {Kind: MsgAccept, Manager: "a b"},
		"no holder":          {Kind: MsgRequest, Needs: good.Needs, TTL: time.Second},
		"no needs":           {Kind: MsgRequest, Holder: "h", TTL: time.Second},
		"no ttl":             {Kind: MsgRequest, Holder: "h", Needs: good.Needs},
		"a negative need":    {Kind: MsgRequest, Holder: "h", Needs: Amounts{{CPU, -1}}, TTL: time.Second},
		"a huge need":        {Kind: MsgRequest, Holder: "h", Needs: Amounts{{CPU, 1 << 62}}, TTL: time.Second},
		"a negative wait":    {Kind: MsgRequest, Holder: "h", Needs: good.Needs, TTL: time.Second, Wait: -1},
		"a long ttl":         {Kind: MsgRenew, Manager: "m", TTL: 2 * time.Hour},
		"a long holder":      {Kind: MsgRenew, Manager: "m", Holder: longText(129)},
		"a binary id":        {Kind: MsgRenew, Manager: "m", ID: "\x00"},
		"a long selector":    {Kind: MsgRequest, Holder: "h", Needs: good.Needs, TTL: time.Second, Selector: longText(1025)},
		"long tags":          {Kind: MsgOffer, Manager: "m", Tags: longText(5000)},
		"a long reason":      {Kind: MsgRefuse, Manager: "m", Reason: Reason{Detail: longText(200)}},
		"a binary reason":    {Kind: MsgRefuse, Manager: "m", Reason: Reason{Detail: "a\nb"}},
		"a grant for nobody": {Kind: MsgGrant, Manager: "m", Fence: 1, Needs: good.Needs},
		"a grant of nothing": {Kind: MsgGrant, Manager: "m", Fence: 1, Holder: "h"},
		"a fence that wraps": {Kind: MsgSeen, Manager: "m", Fence: 1<<64 - 1},
		"a fence seen above": {Kind: MsgSeen, Manager: "m", Fence: MaxFence/2 + 1},
		"a report's fence":   {Kind: MsgReport, Manager: "m", Fence: MaxFence + 1},
		"a grant, no fence":  {Kind: MsgGrant, Manager: "m", Holder: "h", Needs: good.Needs},
	} {
		if bad.check() == nil {
			t.Errorf("%s passes", name)
		}
	}
	if got := parseTags("a=b,c="); got.String() != "a=b,c=" {
		t.Errorf("tags are %v", got)
	}
	if got := parseTags("a b=c" + strings.Repeat(",x", 40)); got != nil {
		t.Errorf("tags are %v", got)
	}
}

// FuzzMessage: whatever a peer sends is refused or borne by both sides.
func FuzzMessage(f *testing.F) {
	mine, theirs := channel.ID{Source: 1, Seq: 1}, channel.ID{Source: 7, Seq: 1}
	for kind := MsgRequest; kind < messageKinds; kind++ {
		for _, ask := range []channel.ID{mine, theirs} {
			packed, err := channel.Pack(Message{Kind: kind, Manager: "m", Ask: ask, ID: "x", Holder: "h", Needs: Amounts{{CPU, 1000}},
				TTL: time.Second, Wait: time.Second, Fence: 1, Free: Amounts{{CPU, 1}}, Capacity: Amounts{{CPU, 4000}}, Tags: "a=b", Managers: 1})
			if err != nil {
				f.Fatal(err)
			}
			f.Add(packed)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var m Message
		if channel.Unpack(body, &m) != nil || m.check() != nil {
			return
		}
		g := busy(t, 2)
		g.Receive(time.Second, 7, &m, nil)
		g.Written(time.Second, g.seq, nil, nil)
		g.Report(time.Second)
		g.Tick(2*time.Hour, nil)
		for k, used := range g.used {
			if used < 0 || used > g.cfg.Capacity.Of(k) {
				t.Errorf("%s: %d used after %+v", k, used, m)
			}
		}
		s := NewAsker(AskerConfig{NextID: func() channel.ID { return mine }})
		a, _, _, err := s.Open(0, Request{Holder: "h", ID: "x", Needs: Amounts{{CPU, 1000}}, Criteria: Spread}, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.Asked(0, a, []channel.NodeID{7}, false, nil)
		s.Receive(time.Millisecond, 7, 0.5, &m, nil)
		s.Tick(time.Second, nil)
		s.Receive(time.Second, 7, 0.5, &m, nil)
		s.PeerGone(time.Second, 7, nil)
		s.Tick(2*time.Hour, nil)
	})
}
