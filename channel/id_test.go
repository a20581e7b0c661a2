package channel_test

import (
	"testing"

	"pgregory.net/rapid"

	"kecho/channel"
)

func TestIDText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := channel.ID{Source: channel.NodeID(rapid.Uint64Min(1).Draw(t, "source")), Seq: rapid.Uint64().Draw(t, "seq")}
		if got, err := channel.ParseID(id.String()); err != nil || got != id {
			t.Errorf("%v reads as %v, %v", id, got, err)
		}
		if got, err := channel.ParseNodeID(id.Source.String()); err != nil || got != id.Source {
			t.Errorf("%v reads as %v, %v", id.Source, got, err)
		}
	})
	for _, s := range []string{
		"", "-", "0000000000000000-1", "1-1", "000000000000000g-1", "0000000000000001-", "0000000000000001--1",
		"0000000000000001-18446744073709551616", "00000000000000001-1", "+000000000000001-1", "0000000000000001",
	} {
		if id, err := channel.ParseID(s); err == nil {
			t.Errorf("%q reads as %v", s, id)
		}
	}
	if a, b := channel.NewNodeID(), channel.NewNodeID(); a == b || a == 0 || b == 0 {
		t.Errorf("new ids %v and %v", a, b)
	}
	if (channel.ID{Source: 1}).IsZero() || !(channel.ID{}).IsZero() {
		t.Error("IsZero is wrong")
	}
}
