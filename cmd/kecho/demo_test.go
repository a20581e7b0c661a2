package main

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kecho/cmd/kecho/demo"
)

func TestReportTable(t *testing.T) {
	var out, notes bytes.Buffer
	err := printReport(&printer{out: &out}, &notes, demo.Report{
		Nodes: 2, Slow: 1, Workers: 4, Work: 38, Capacity: 105.26, Rate: 200, Duration: 8,
		Phases: []demo.Phase{{
			Result:  demo.Result{Sent: 1600, OK: 850, Errors: 750, P50: 180.2, P99: 199.7, ServedBy: map[string]int{"web1": 850}},
			Servers: []demo.Server{{Name: "web1"}, {Name: "web2", Slow: true}},
		}, {
			Balancing: true,
			Result:    demo.Result{Sent: 1602, OK: 1602, P50: 40, P99: 61, ServedBy: map[string]int{"web1": 1500, "web2": 102}},
			Servers:   []demo.Server{{Name: "web1"}, {Name: "web2", Slow: true}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `
BALANCING  SENT    OK  ERRORS     P50     P99  WEB1  WEB2 (SLOW)
without    1600   850     750  180 ms  200 ms   850            0
with       1602  1602       0   40 ms   61 ms  1500          102
`
	if d := cmp.Diff(want, "\n"+out.String()); d != "" {
		t.Error(d)
	}
	if got, want := notes.String(), "2 web servers of 4 workers, 38 ms a request: one can do 105 requests/s; web1 got 200 for 8 s\n\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
