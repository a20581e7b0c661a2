package registry

import (
	"strings"
	"testing"
)

func TestNewSaysAllThatIsWrong(t *testing.T) {
	_, err := New(Config{
		Name:        "web 1",
		Cluster:     strings.Repeat("c", 33),
		Bind:        "10.0.0.1:http",
		LinkAddr:    "[::1",
		Advertise:   ":::",
		Seeds:       []string{"web1", "web2:77777"},
		RejoinEvery: -1,
		Key:         make([]byte, 15),
		Tags:        map[string]string{"a": "", "zone": strings.Repeat("z", 96)},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"name", "id", "cluster", "bind", "link", "advertised", "web2:77777", "rejoin", "key of 15", `tag "a"`, "tags of"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said in:\n%v", want, err)
		}
	}
}

func TestNewFillsIn(t *testing.T) {
	given := []string{"web1", "10.0.0.1:1", "fd00::1", "[fd00::1]:2"}
	r, err := New(Config{Name: "web1", ID: 1, Seeds: given, Advertise: "web1"})
	if err != nil {
		t.Fatal(err)
	}
	want := "web1:7946 10.0.0.1:1 [fd00::1]:7946 [fd00::1]:2"
	if got := strings.Join(r.cfg.Seeds, " "); got != want {
		t.Errorf("seeds %s, want %s", got, want)
	}
	if given[0] != "web1" {
		t.Error("the caller's seeds were written to")
	}
	if r.cfg.Bind != "0.0.0.0:7946" || r.cfg.Cluster != "kecho" || r.cfg.RejoinEvery == 0 {
		t.Errorf("got %+v", r.cfg)
	}
	if r.Addr() != "" || len(r.Peers()) != 0 {
		t.Error("New knows something")
	}
}
