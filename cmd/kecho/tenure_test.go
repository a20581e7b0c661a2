package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestTenure plays a lease of 30 s, asked for at 0, whose renewals end as plan
// says, each a second after it was sent: "ok", "no" (no answer), "over".
func TestTenure(t *testing.T) {
	for _, tt := range []struct{ name, plan, want string }{
		{"all goes well, and then nothing", "ok ok ok", "10 renew, 20 renew, 30 renew, 40 renew, 50 terminate, 55 kill"},
		{"no agent answers", "no no no no no no", "10 renew, 12 renew, 14 renew, 16 renew, 18 renew, 20 terminate, 25 kill"},
		{"it answers in time again", "no no ok", "10 renew, 12 renew, 14 renew, 24 renew, 34 terminate, 39 kill"},
		{"it answers too late", "no no no no late", "10 renew, 12 renew, 14 renew, 16 renew, 18 renew, 20 terminate, 43 kill"},
		{"it is over", "ok over", "10 renew, 20 renew, 21 terminate, 26 kill"},
		{"it is over when its time nearly is", "no no no no overlate", "10 renew, 12 renew, 14 renew, 16 renew, 18 renew, 20 terminate, 25 kill"},
	} {
		if got := play(newTenure(30*time.Second, 0), strings.Fields(tt.plan)); got != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// play is the deeds with their seconds, until the end. A renewal without a plan
// has no answer.
func play(ten *tenure, plan []string) string {
	names := [...]string{renew: "renew", terminate: "terminate", kill: "kill"}
	var deeds []string
	var sent, answer time.Duration
	outcome := ""
	for len(deeds) < 50 {
		now := ten.due()
		if outcome != "" && answer <= now {
			now = answer
			if outcome == "ok" || outcome == "late" {
				ten.renewed(sent)
			} else {
				ten.failed(now, strings.HasPrefix(outcome, "over"))
			}
			outcome = ""
		}
		for d := ten.step(now); d != nothing; d = ten.step(now) {
			deeds = append(deeds, fmt.Sprint(now.Seconds(), " ", names[d]))
			if d == kill {
				return strings.Join(deeds, ", ")
			}
			if d == renew && len(plan) > 0 {
				sent, outcome, plan = now, plan[0], plan[1:]
				answer = now + time.Second
				if strings.Contains(outcome, "late") {
					answer = now + 4*time.Second
				}
			}
		}
	}
	return "without end: " + strings.Join(deeds, ", ")
}

// What works under a lease is always gone before the lease can be another's.
func TestTenureEndsInTime(t *testing.T) {
	for ttl := time.Second; ttl <= time.Hour; ttl *= 3 {
		ten := newTenure(ttl, 0)
		if ten.killAt() >= ttl || ten.askAt() >= ten.killAt() || ten.patience() <= 0 {
			t.Errorf("ttl %v: asked at %v, killed at %v, patience %v", ttl, ten.askAt(), ten.killAt(), ten.patience())
		}
		ten.failed(ttl*4/5, true)
		if ten.killAt() > ttl*5/6 {
			t.Errorf("ttl %v: what is heard to be over lives until %v", ttl, ten.killAt())
		}
	}
	if ten := newTenure(30*time.Second, 0); ten.fresh(10*time.Second) || !ten.fresh(9*time.Second) {
		t.Error("a lease is fresh in the first third of its time")
	}
}
