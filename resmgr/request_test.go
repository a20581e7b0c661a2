package resmgr

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestRequestCheck(t *testing.T) {
	good := Request{Holder: "job 7", Needs: Amounts{{CPU, 1}}}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*Request){
		"id":       func(r *Request) { r.ID = longText(129) },
		"holder":   func(r *Request) { r.Holder = "" },
		"needs":    func(r *Request) { r.Needs = nil },
		"nodes":    func(r *Request) { r.Nodes = 65 },
		"criteria": func(r *Request) { r.Criteria = 99 },
		"ttl":      func(r *Request) { r.TTL = time.Hour + 1 },
		"wait":     func(r *Request) { r.Wait = -1 },
	} {
		bad := good
		change(&bad)
		var wrong *FieldError
		if err := bad.Check(); !errors.As(err, &wrong) || wrong.Field != field || !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, bad := range []Request{
		{Holder: "a\nb", Needs: good.Needs}, {Holder: "a\xff", Needs: good.Needs}, {Holder: "a", ID: "\x00", Needs: good.Needs},
		{Holder: "a", Needs: good.Needs, TTL: time.Millisecond}, {Holder: "a", Needs: good.Needs, TTL: -1}, {Holder: "a", Needs: good.Needs, Nodes: -1},
		{Holder: "a", Needs: good.Needs, Wait: MaxWait + 1},
	} {
		if bad.Check() == nil {
			t.Errorf("%+v passes", bad)
		}
	}
}

func TestCriteria(t *testing.T) {
	for c := range criteria {
		if got, err := ParseCriteria(c.String()); err != nil || got != c {
			t.Errorf("%v: %v, %v", c, got, err)
		}
	}
	if c, err := ParseCriteria(""); c != First || err != nil {
		t.Error(c, err)
	}
	if _, err := ParseCriteria("best"); err == nil || !strings.Contains(err.Error(), "spread") {
		t.Error(err)
	}
}

func TestLeaseID(t *testing.T) {
	id := LeaseID{"web1/gpu:0", 17}
	if got, err := ParseLeaseID(id.String()); err != nil || got != id {
		t.Error(got, err)
	}
	for _, bad := range []string{"", "web1", "web1:", "web1:0", "web1:-1", "web1:+1", ":1", "a b:1", "web1:99999999999999999999999"} {
		if _, err := ParseLeaseID(bad); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func TestReasons(t *testing.T) {
	for want, r := range map[string]Reason{
		"cpu: 2 asked, 0.5 of 4 free":                 {Code: CodeNoRoom, Kind: CPU, Need: 2000, Free: 500, Capacity: 4000},
		"mem: 2Gi asked, it has 1Gi in all":           {Code: CodeTooLarge, Kind: Mem, Need: 2 << 30, Capacity: 1 << 30},
		"gpu: it has none":                            {Code: CodeUnknownKind, Kind: "gpu"},
		"gpu: 3 requests wait for it before this one": {Code: CodeQueued, Kind: "gpu", Ahead: 3},
		"it is full": {Code: CodeJournal, Detail: "it is full"},
		"left":       {Code: CodeLeft},
	} {
		if got := r.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	err := error(&NoOfferError{Wanted: 2, Offered: 1, Reasons: []Reason{{Manager: "web2", Code: CodeTooMany, Detail: "holder a has 1000"}}})
	if !errors.Is(err, ErrNoOffer) || !errors.Is(err, ErrTooMany) || errors.Is(err, ErrEnded) || err.Error() != "1 of 2 nodes offered; web2: holder a has 1000" {
		t.Error(err)
	}
	if err := error(&Refusal{Reason{Manager: "web1", Code: CodeNotHolder, Detail: "b has it"}}); !errors.Is(err, ErrNotHolder) || err.Error() != "web1: b has it" {
		t.Error(err)
	}
}
