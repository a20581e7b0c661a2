package monitor

import (
	"errors"
	"strings"
	"testing"
	"time"

	"kecho/resmgr/syntax"
)

func TestParse(t *testing.T) {
	cpu := Measure{Of: Key{Name: "cpu"}}
	for text, want := range map[string]Condition{
		"cpu > 0.85 cancel < 0.70":      {cpu, Bound{Above, 0.85}, Bound{Below, 0.7}},
		"cpu>=0.85cancel<=0.7":          {cpu, Bound{AtLeast, 0.85}, Bound{AtMost, 0.7}},
		" \tcpu\n< -1e3 cancel >\t-2 ":  {cpu, Bound{Below, -1000}, Bound{Above, -2}},
		"cpu <= 5":                      {cpu, Bound{AtMost, 5}, Bound{}},
		"cpu > 0":                       {cpu, Bound{Above, 0}, Bound{}},
		"disk.used{item=/data} > 0.9":   {Measure{Of: Key{"disk.used", "/data"}}, Bound{Above, 0.9}, Bound{}},
		`d{ item = "a } b\"" } > 0.9`:   {Measure{Of: Key{"d", `a } b"`}}, Bound{Above, 0.9}, Bound{}},
		"rate(errors, 10s) > 5":         {Measure{Kind: Rate, Of: Key{Name: "errors"}, Window: 10 * time.Second}, Bound{Above, 5}, Bound{}},
		"rate(e{item=x},1m30s)>5":       {Measure{Kind: Rate, Of: Key{"e", "x"}, Window: 90 * time.Second}, Bound{Above, 5}, Bound{}},
		"high(cpu) > 1":                 {Measure{Kind: High, Of: cpu.Of}, Bound{Above, 1}, Bound{}},
		"low ( cpu ) < 1":               {Measure{Kind: Low, Of: cpu.Of}, Bound{Below, 1}, Bound{}},
		"high < 1":                      {Measure{Of: Key{Name: "high"}}, Bound{Below, 1}, Bound{}},
		"leaky(e, 2/s) > 9":             {Measure{Kind: Leaky, Of: Key{Name: "e"}, Leak: 2}, Bound{Above, 9}, Bound{}},
		"leaky(e, 30/1m) > 9":           {Measure{Kind: Leaky, Of: Key{Name: "e"}, Leak: 0.5}, Bound{Above, 9}, Bound{}},
		"cancel > 1 cancel < 0":         {Measure{Of: Key{Name: "cancel"}}, Bound{Above, 1}, Bound{Below, 0}},
		"x > 1e308 cancel < -1e308":     {Measure{Of: Key{Name: "x"}}, Bound{Above, 1e308}, Bound{Below, -1e308}},
		"net.rx-bytes_2{item=eth0} > 1": {Measure{Of: Key{"net.rx-bytes_2", "eth0"}}, Bound{Above, 1}, Bound{}},
	} {
		got, err := Parse(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
			continue
		}
		if again, err := Parse(got.String()); err != nil || again != got {
			t.Errorf("%s: written as %s, which is %+v, %v", text, got, again, err)
		}
	}
	if c, _ := Parse("cpu>0.85cancel<0.70"); c.String() != "cpu > 0.85 cancel < 0.7" {
		t.Errorf("written as %s", c)
	}
}

func TestParseSaysWhere(t *testing.T) {
	for _, c := range []struct {
		text   string
		column int
		reason string
	}{
		{"", 1, "want a gauge, such as cpu, found the end"},
		{"  ", 3, "want a gauge"},
		{"7 > 3", 1, `want a gauge, such as cpu, found "7"`},
		{"cpu", 4, "want >, >=, < or <=, found the end"},
		{"cpu = 1", 5, `found "="`},
		{"cpu == 1", 5, `found "=="`},
		{"cpu => 1", 5, `found "=>"`},
		{"cpu >", 6, "want a number, such as 0.85, found the end"},
		{"cpu > high", 7, `found "high"`},
		{"cpu > NaN", 7, `found "NaN"`},
		{"cpu > 1e999", 7, `found "1e999"`},
		{"cpu > 0x1p3", 8, `want cancel or the end, found "x1p3"`},
		{"cpu > 1 until 3", 9, `want cancel or the end, found "until"`},
		{"cpu > 1 cancelled < 3", 9, `found "cancelled"`},
		{"cpu > 1 cancel", 15, "want >, >=, < or <=, found the end"},
		{"cpu > 1 cancel < 0.5 x", 22, `want the end, found "x"`},
		{"cpu > 0.85 cancel > 0.9", 19, "wrong side: what is raised by > 0.85 is cancelled by < a value below 0.85"},
		{"cpu > 0.85 cancel > 0.7", 19, "wrong side"},
		{"cpu > 0.85 cancel < 0.9", 19, "0.9 is not below 0.85"},
		{"cpu > 0.85 cancel < 0.85", 19, "0.85 is not below 0.85"},
		{"cpu < 0.2 cancel < 0.3", 18, "is cancelled by > a value above 0.2"},
		{"cpu <= 0.2 cancel >= 0.1", 19, "0.1 is not above 0.2"},
		{"d{", 3, "want item="},
		{"d{disk=/} > 1", 3, `want item=, found "disk"`},
		{"d{item=} > 1", 8, "want an item"},
		{"d{item=a b} > 1", 8, "in quotes"},
		{"d{item=/data > 1", 8, "want an item"},
		{`d{item="a} > 1`, 8, "a quote that does not end"},
		{"d{item=\"a\x00\"} > 1", 8, "want an item"},
		{"é > 1", 1, `found "é"`},
		{`d{item="é"} ! 1`, 13, `found "!"`},
		{"mean(cpu) > 1", 1, `no statistic is called "mean": want high, low, rate or leaky`},
		{"rate(cpu) > 1", 9, "a window such as 10s"},
		{"rate(cpu, ten) > 1", 11, "want a duration"},
		{"rate(cpu, 0s) > 1", 11, "a rate's window is from 1ms to 24h"},
		{"rate(cpu, 25h) > 1", 11, "a rate's window"},
		{"rate(cpu, 10s > 1", 11, "want a duration"},
		{"leaky(cpu, 2) > 1", 13, "want / and a duration"},
		{"leaky(cpu, -2/s) > 1", 12, "a finite number above 0"},
		{"leaky(cpu, 1e308/1ns) > 1", 12, "a finite number above 0"},
		{"high(cpu, 3s) > 1", 9, `want ), found ","`},
		{strings.Repeat("n", 129) + " > 1", 1, "at most 128"},
		{"cpu > " + strings.Repeat("1", 1024), 1025, "longer than 1024 bytes"},
	} {
		_, err := Parse(c.text)
		var wrong *syntax.Error
		if !errors.As(err, &wrong) || wrong.Column != c.column || !strings.Contains(wrong.Reason, c.reason) {
			t.Errorf("%.80s: %v; want column %d: %s", c.text, err, c.column, c.reason)
		}
	}
}

func TestParseKey(t *testing.T) {
	for text, want := range map[string]Key{
		"cpu": {Name: "cpu"}, " app.queue ": {Name: "app.queue"},
		"disk.used{item=/data}": {"disk.used", "/data"}, `d{item="a } b"}`: {"d", "a } b"},
	} {
		got, err := ParseKey(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		} else if again, err := ParseKey(got.String()); err != nil || again != want {
			t.Errorf("%s: written as %s, which is %+v, %v", text, got, again, err)
		}
	}
	for text, want := range map[string]string{
		"": "column 1: want a gauge", "cpu > 1": "column 5: want the end", "cpu,load1": "column 4", "cpu{item=": "column 10", "rate(cpu, 1s)": "column 5: want the end",
	} {
		var wrong *syntax.Error
		if _, err := ParseKey(text); !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestParseList(t *testing.T) {
	a, b := "cpu > 0.85 cancel < 0.7", "rate(errors, 10s) > 5"
	for text, want := range map[string]int{"": 0, "  ": 0, a: 1, a + "," + b: 2, b + " , " + a: 2} {
		got, err := ParseList(text)
		if err != nil || len(got) != want {
			t.Errorf("%q: %v, %v; want %d", text, got, err, want)
		}
		for _, c := range got {
			if s := c.String(); s != a && s != b {
				t.Errorf("%q has %v", text, s)
			}
		}
	}
	for text, want := range map[string]string{
		"cpu > 1 or b": "column 9: want cancel, a comma or the end",
		"cpu > 1,":     "column 9: want a gauge",
		",cpu > 1":     "column 1: want a gauge",
		a + " " + b:    `column 25: want a comma or the end, found "rate"`,
		strings.Repeat("cpu > 1,", 200) + "cpu > 1": "longer than 1024 bytes",
	} {
		if got, err := ParseList(text); err == nil || got != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: %v, %v; want %s", text, got, err, want)
		}
	}
	if _, err := Parse("cpu > 1, cpu > 2"); err == nil {
		t.Error("a list is one condition")
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"cpu > 0.85 cancel < 0.70", "disk.used{item=/data} >= 0.9", `d{item="\u00e9"}<1`, "rate(errors, 10s) > 5 cancel <= 1e-3",
		"leaky(e{item=a}, 10/1m30s) > 20", "high(c) > 9", "cpu > 1 cancel > 2", "x>-0", "rate(e, 24h1ns)<1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			var wrong *syntax.Error
			if !errors.As(err, &wrong) || wrong.Column < 1 || wrong.Column > len(text)+1 || c != (Condition{}) {
				t.Fatalf("%q: %+v with %#v", text, c, err)
			}
			return
		}
		if err := c.Check(); err != nil {
			t.Fatalf("%q: read, and yet: %v", text, err)
		}
		if again, err := Parse(c.String()); err != nil || again != c {
			t.Fatalf("%q: written as %q, which is %+v, %v", text, c, again, err)
		}
	})
}
