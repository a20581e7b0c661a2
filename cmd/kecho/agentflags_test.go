package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// TestAgentFlagGroups holds that each flag of an agent is in a group, each group
// in one piece, and that the help has them in the order in which they stand.
func TestAgentFlagGroups(t *testing.T) {
	var groups, want []string
	for _, f := range agentFlags() {
		name := f.Names()[0]
		group := f.(cli.CategorizableFlag).GetCategory()
		if len(groups) == 0 || groups[len(groups)-1] != group {
			if group == "" || slices.Contains(groups, group) {
				t.Errorf("--%s: its group %q is none, or in two pieces", name, group)
			}
			groups = append(groups, group)
			want = append(want, group)
		}
		want = append(want, "--"+name)
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"kecho", "agent", "--help"}, &out, &out); code != 0 {
		t.Fatal(code, out.String())
	}
	_, options, _ := strings.Cut(out.String(), "OPTIONS:")
	var got []string
	for line := range strings.Lines(options) {
		line = strings.TrimSpace(line)
		first, _, _ := strings.Cut(line, " ")
		switch {
		case slices.Contains(groups, line):
			got = append(got, line)
		case strings.HasPrefix(first, "--") && first != "--help,":
			got = append(got, first)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the help has %q\nwant %q", got, want)
	}
}
