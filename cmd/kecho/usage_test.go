package main

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"agent", "members", "status", "demo", "version"}
	for word, want := range map[string]string{
		"membres": "members", "member": "members", "mem": "members", "stats": "status",
		"vers": "version", "agents": "agent", "x": "", "frobnicate": "", "de": "demo", "": "",
	} {
		if got := nearest(word, names); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
