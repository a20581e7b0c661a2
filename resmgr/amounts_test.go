package resmgr

import (
	"errors"
	"strings"
	"testing"

	"kecho/resmgr/syntax"
)

func TestParseAmounts(t *testing.T) {
	for text, want := range map[string]string{
		"cpu=2":                       "cpu=2",
		"mem=512Mi,cpu=2":             "cpu=2,mem=512Mi",
		" gpu = 1 , cpu = 0.5 ":       "cpu=0.5,gpu=1",
		"cpu=500m":                    "cpu=0.5",
		"cpu=1.250":                   "cpu=1.25",
		"mem=1.5Gi":                   "mem=1536Mi",
		"mem=1G":                      "mem=1000000000",
		"mem=1k,disk=1K":              "disk=1000,mem=1000",
		"net=125M":                    "net=125000000",
		"mem=1Pi":                     "mem=1Pi",
		"camera.front-2=1000000000":   "camera.front-2=1000000000",
		"cpu=1000000,disk=1048576000": "cpu=1000000,disk=1000Mi",
	} {
		got, err := ParseAmounts(text)
		if err != nil || got.String() != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
		if err := got.Check(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	a, _ := ParseAmounts("cpu=1.5,mem=1Ki,gpu=3")
	if a.Of(CPU) != 1500 || a.Of(Mem) != 1024 || a.Of("gpu") != 3 || a.Of(Disk) != 0 || a.Has(Disk) || !a.Has(CPU) {
		t.Errorf("%v", a)
	}
}

func TestParseAmountsSaysWhere(t *testing.T) {
	for text, want := range map[string]string{
		"":                 `column 1: want a kind of resource, such as cpu, found the end`,
		"cpu":              `column 4: want = and a quantity, such as cpu=2, found the end`,
		"cpu=":             `column 5: cpu is "": want processors, such as 2, 0.5 or 500m`,
		"cpu=2,":           `column 7: want a kind of resource`,
		"cpu=2 mem=3":      `column 5: cpu is "2 mem=3": want processors`,
		"cpu=-1":           `column 5: cpu is "-1": it is negative: want more than 0`,
		"mem=-0.5Gi":       `column 5: mem is "-0.5Gi": it is negative`,
		"cpu=0":            `column 5: cpu is "0": it is zero: leave cpu out`,
		"mem=1Ki, gpu=0.0": `column 14: gpu is "0.0": it is zero`,
		"cpu=two":          `column 5: cpu is "two": want processors`,
		"cpu=1e9":          `want processors`,
		"cpu=0x10":         `want processors`,
		"cpu=NaN":          `want processors`,
		"cpu=1..5":         `want processors`,
		"cpu=1/2":          `want processors`,
		"gpu=1.5":          `column 5: gpu is "1.5": finer than the unit; want a whole number, such as 2`,
		"cpu=0.0001":       `finer than the unit`,
		"mem=0.1":          `finer than the unit; want bytes`,
		"mem=2Pi":          `column 5: mem is "2Pi": more than any node can have; at most 1Pi`,
		"cpu=1000001":      `at most 1000000`,
		"cpu=99999999999999999999999999999999999999999": `want processors`,
		"mem=5Mb":              `want bytes, such as 512Mi`,
		"cpu=1,cpu=2":          `column 7: cpu stands here twice`,
		"2=cpu":                `column 1: want a kind of resource, such as cpu, found "2"`,
		"ä=1":                  `found "ä"`,
		"äcpu":                 `column 1`,
		"cpu=ä,x":              `column 5`,
		manyKinds(17):          `more than 16 kinds`,
		"x=1" + longText(1100): `longer than 1024 bytes`,
		longText(33) + "=1":    `a name of 33 characters, at most 32`,
	} {
		_, err := ParseAmounts(text)
		var wrong *syntax.Error
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v; want %s", text, err, want)
		}
	}
}

func longText(n int) string { return strings.Repeat("x", n) }

func manyKinds(n int) string {
	var all []string
	for i := range n {
		all = append(all, "k"+string(rune('a'+i))+"=1")
	}
	return strings.Join(all, ",")
}

func TestAmountsCheck(t *testing.T) {
	for _, a := range []Amounts{
		nil, {}, {{"", 1}}, {{"cpu", 0}}, {{"cpu", -1}}, {{"cpu", CPU.Max() + 1}}, {{"a b", 1}},
		{{"cpu", 1}, {"cpu", 1}}, {{"mem", 1}, {"cpu", 1}}, make(Amounts, MaxKinds+1),
	} {
		if a.Check() == nil {
			t.Errorf("%v passes", a)
		}
	}
	if a := AmountsOf(map[Kind]Quantity{"mem": 1, "cpu": 2, "gpu": 3}); a.Check() != nil || len(a) != 3 {
		t.Errorf("%v: %v", a, a.Check())
	}
}

// FuzzAmounts: what is read prints as what reads the same.
func FuzzAmounts(f *testing.F) {
	for _, s := range []string{"cpu=2,mem=512Mi", "gpu=1", "cpu=0.001", "mem=1.5G", "cpu=,", "=", "cpu=1,cpu=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAmounts(text)
		if err != nil {
			return
		}
		again, err := ParseAmounts(a.String())
		if err != nil || again.String() != a.String() || a.Check() != nil {
			t.Errorf("%q is %q, which is %q, %v, %v", text, a, again, err, a.Check())
		}
	})
}
