package agent

import (
	"encoding/json"
	"slices"
	"testing"

	"kecho/agent/api"
	"kecho/agent/news"
	"kecho/channel"
	"kecho/channel/registry"
)

// TestRestartNews has a node that was killed come again, with another id: the
// last that is told of its name is that it is alive.
func TestRestartNews(t *testing.T) {
	a := &Agent{news: news.New(news.Config{ID: "x"})}
	known := map[channel.NodeID]registry.Peer{7: {ID: 7, Name: "web3", Status: registry.Alive}}
	known = a.tellMembers(known, []registry.Peer{{ID: 8, Name: "web3", Status: registry.Alive}})
	var got []string
	for _, item := range a.news.After(a.news.Start()).Items {
		var change api.MemberChange
		if err := json.Unmarshal(item.Data, &change); err != nil {
			t.Fatal(err)
		}
		got = append(got, change.Was+">"+change.Status)
	}
	if want := []string{"alive>left", ">alive"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	if _, ok := known[8]; !ok || len(known) != 1 {
		t.Errorf("known %v, want the new life alone", known)
	}
}
