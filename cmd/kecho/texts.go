package main

import "strings"

// texts is a flag that may be repeated and whose values have commas in them,
// which the library's own lists are cut at. In the environment there is one a
// line.
type texts struct{ all []string }

// Set adds value's lines.
func (t *texts) Set(value string) error {
	for line := range strings.Lines(value) {
		if line = strings.TrimSpace(line); line != "" {
			t.all = append(t.all, line)
		}
	}
	return nil
}

func (t *texts) String() string { return strings.Join(t.all, "\n") }
