package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"kecho/cmd/kecho-lab/paper"
)

func TestBenchPaper(t *testing.T) {
	p := start(t, loopback(), "kecho-lab", lab(t), "bench", "paper", "--turns", "2", "--events", "20", "--idle", "0,30", "-o", "json")
	if code := p.wait(t, settlePatience); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	_, text, _ := strings.Cut(p.out.String(), "\n{") // what is before are notes
	var res paper.Result
	if err := json.Unmarshal([]byte("{"+text), &res); err != nil {
		t.Fatal(err)
	}
	of := map[string]int{}
	for _, l := range res.Lines {
		of[l.Of]++
		if l.Took <= 0 || l.What == "" || l.Ratio > 0 && (l.Least <= 0 || l.Most < l.Least) {
			t.Errorf("%+v: nothing was measured", l)
		}
	}
	if of["KECho, Figure 7"] != 11 || of["KECho, Table 1"] != 4 || of["AEM, Figure 6"] != 4 || of["TAO, 4.4"] != 9 || len(res.Busy) != 0 {
		t.Errorf("%v, %v: a figure is missing", of, res.Busy)
	}
}
