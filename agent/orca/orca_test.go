package orca

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// shown is metrics by name, since JSON objects have no order.
func shown(metrics []Metric) string {
	var all []string
	for _, m := range metrics {
		all = append(all, fmt.Sprintf("%v=%v", m.Gauge, m.Value))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"TEXT cpu_utilization=0.3,mem_utilization=0.8,rps_fractional=10.5, eps=1": "app.cpu=0.3 app.eps=1 app.memory=0.8 app.rps=10.5",
		"text application_utilization=1.2":                                        "app.utilization=1.2",
		"cpu_utilization:0.3,named_metrics.queue:12":                              "app.cpu=0.3 app.named{item=queue}=12",
		"TEXT named_metrics.kv.used=.5,utilization.disk=0.2,request_cost.db=7":    "app.named{item=kv.used}=0.5 app.utilization{item=disk}=0.2",
		"TEXT queue=3,odd.name=4":                                                 "app.named{item=odd.name}=4 app.named{item=queue}=3",
		"0.62\n":                                                                  "app.utilization=0.62",
		"TEXT 1e0":                                                                "app.utilization=1",
		`JSON {"cpu_utilization": 0.3, "rps": 7, "named_metrics": {"queue": 12, "x y": null}, "utilization": {"disk": 0.5}, "request_cost": {"db": 3}, "mem_utilization": null}`: `app.cpu=0.3 app.named{item=queue}=12 app.rps=7 app.utilization{item=disk}=0.5`,
		` {"queue": 12} `: "app.named{item=queue}=12",
		"{}":              "",
	} {
		got, err := Parse(text)
		if err != nil || shown(got) != want {
			t.Errorf("%s: %s, %v; want %s", text, shown(got), err, want)
		}
	}
	for text, want := range map[string]string{
		"":                                     "want NAME=VALUE",
		"TEXT":                                 "want NAME=VALUE",
		"TEXT cpu_utilization":                 "want NAME=VALUE",
		"TEXT cpu_utilization=":                "want a number",
		"TEXT cpu_utilization=much":            "want a number",
		"TEXT cpu_utilization=NaN":             "not finite",
		"inf":                                  "not finite",
		"TEXT cpu_utilization=1e999":           "want a number",
		"TEXT =1":                              "without a name",
		"TEXT named_metrics.=1":                "without a name",
		"TEXT cpu_utilization=1,":              "want NAME=VALUE",
		"TEXT eps=1,eps=2":                     "there twice",
		"TEXT rps=1,rps_fractional=2":          "there twice",
		"TEXT a\x00b=1":                        "printable",
		"BIN AAAA":                             "want NAME=VALUE",
		"JSON":                                 "want NAME=VALUE",
		"JSON 0.3":                             "no JSON object",
		"JSON null":                            "null",
		"JSON [1]":                             "no JSON object",
		`{"cpu_utilization": "0.3"}`:           "not a number",
		`{"named_metrics": 3}`:                 "not an object of numbers",
		`{"named_metrics": {"a": {}}}`:         "not an object of numbers",
		`{"eps": 1} {"eps": 2}`:                "more behind",
		strings.Repeat("x", 16<<10+1):          "at most 16384",
		"TEXT " + strings.Repeat("x=1,", 4000): "there twice",
		strings.Repeat(`{"a":`, 3000):          "no JSON object",
	} {
		if got, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %s, %v; want %q", text, shown(got), err, want)
		}
	}
	var many []string
	for i := range 65 {
		many = append(many, fmt.Sprintf("m%d=1", i))
	}
	if _, err := Parse(strings.Join(many, ",")); err == nil {
		t.Error("65 metrics were taken")
	}
}

func TestText(t *testing.T) {
	cpu, rps, app := 0.3004, 12.0, 1.5
	text := Report{CPU: &cpu, RPS: &rps, Application: &app}.Text()
	if text != "TEXT cpu_utilization=0.300,application_utilization=1.500,rps_fractional=12.000" {
		t.Error(text)
	}
	if got, err := Parse(text); err != nil || shown(got) != "app.cpu=0.3 app.rps=12 app.utilization=1.5" {
		t.Errorf("read again: %s, %v", shown(got), err)
	}
	if text := (Report{}).Text(); text != "" {
		t.Error(text)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("TEXT cpu_utilization=0.3,named_metrics.x=1")
	f.Add(`JSON {"cpu_utilization": 0.3, "named_metrics": {"queue": 12}}`)
	f.Add("0.5")
	f.Fuzz(func(t *testing.T, text string) {
		metrics, err := Parse(text)
		if err != nil {
			return
		}
		for _, m := range metrics {
			if err := m.Gauge.Check(); err != nil || m.Value-m.Value != 0 {
				t.Errorf("%q: %v=%v, %v", text, m.Gauge, m.Value, err)
			}
		}
	})
}
