package registry

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/memberlist"
	"pgregory.net/rapid"

	"kecho/channel"
)

// serfSize is what serf makes of tags: one byte and a msgpack map of strings
// of the old kind, which has no str8. That this is so, the suite's test of long
// announcements shows, which fills them up to the last bytes.
func serfSize(tags map[string]string) int {
	size := 1 + 1
	if len(tags) > 15 {
		size += 2
	}
	for name, value := range tags {
		for _, s := range []string{name, value} {
			size += 1 + len(s)
			if len(s) > 31 {
				size += 2
			}
		}
	}
	return size
}

func TestTagsRoundTripAndFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.StringMatching(`[a-z.\x00-\x20]{1,64}`), 0, 40).Draw(t, "names")
		cfg := Config{
			ID:      channel.NodeID(rapid.Uint64Min(1).Draw(t, "id")),
			Cluster: rapid.StringMatching(`[a-z]{1,32}`).Draw(t, "cluster"),
			Tags:    map[string]string{"zone": rapid.StringMatching(`[a-z]{0,88}`).Draw(t, "zone")},
		}
		link := rapid.StringMatching(`[a-z]{1,90}:7947`).Draw(t, "link")
		a := channel.Announcement{Version: rapid.Uint64().Draw(t, "version"), Channels: names, Partial: rapid.Bool().Draw(t, "partial")}

		tags := packTags(&cfg, link, a)
		if size := serfSize(tags); size > memberlist.MetaMaxSize {
			t.Fatalf("tags of %d bytes do not fit", size)
		}
		if err := checkTags(&cfg, "web1", tags); err != nil {
			t.Fatal(err)
		}
		var p Peer
		if err := unpackTags(&p, tags); err != nil {
			t.Fatal(err)
		}
		if p.ID != cfg.ID || p.LinkAddr != link || p.Version != a.Version || !maps.Equal(p.Tags, cfg.Tags) {
			t.Fatalf("got %+v", p)
		}
		if all := len(p.Channels) == len(names); p.Partial != (a.Partial || !all) || all && !slices.Equal(p.Channels, names) {
			t.Fatalf("got %q, partial %v, of %q", p.Channels, p.Partial, names)
		}
	})
}

func TestLongAnnouncementsUseTheRoom(t *testing.T) {
	cfg := Config{ID: 1, Cluster: "kecho"}
	for length := 1; length <= channel.MaxName; length++ {
		names := slices.Repeat([]string{strings.Repeat("x", length)}, 500)
		tags := packTags(&cfg, "10.0.0.1:7947", channel.Announcement{Version: 1, Channels: names})
		if size := serfSize(tags); size > memberlist.MetaMaxSize || size < memberlist.MetaMaxSize-length-4 {
			t.Errorf("names of %d bytes: %d of %d bytes are used", length, size, memberlist.MetaMaxSize)
		}
	}
}

func TestCheckTags(t *testing.T) {
	cfg := Config{ID: 1, Cluster: "blue"}
	good := packTags(&cfg, "", channel.Announcement{})
	for want, change := range map[string]func(map[string]string){
		"not a node of kecho": func(tags map[string]string) { delete(tags, tagID) },
		"of the cluster":      func(tags map[string]string) { tags[tagCluster] = "red" },
		"the same release":    func(tags map[string]string) { tags[tagProtocol] = "2" },
	} {
		tags := maps.Clone(good)
		change(tags)
		if err := checkTags(&cfg, "web1", tags); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := checkTags(&cfg, "we b1", good); err == nil {
		t.Error("a name with a blank was taken")
	}
}

func FuzzUnpackAnnouncement(f *testing.F) {
	f.Add(packAnnouncement(channel.Announcement{Version: 300, Channels: []string{"a", "bc"}}, 100))
	f.Add("")
	f.Add("\x01\x00\x05ab")
	f.Add("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := unpackAnnouncement(s)
		if err != nil {
			return
		}
		for _, name := range a.Channels {
			if name == "" || len(name) > channel.MaxName {
				t.Fatalf("name %q", name)
			}
		}
		again, err := unpackAnnouncement(packAnnouncement(a, len(s)+10))
		if err != nil || !equalAnnouncement(a, again) {
			t.Fatalf("%+v became %+v, %v", a, again, err)
		}
	})
}
