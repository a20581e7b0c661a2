package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent/api"
	"kecho/channel/channeltest"
	"kecho/channel/memnet"
	"kecho/resmgr"
)

// office is the APIs of nodes that lease, in a bubble: web1, web2 and up.
type office struct {
	handlers []http.Handler
	clients  []*api.Client
	managers []*resmgr.Manager
}

// newOffice starts a node for each of capacities; "" has nothing to give.
func newOffice(t *testing.T, capacities ...string) *office {
	t.Helper()
	o := new(office)
	network := memnet.New(memnet.Config{})
	nodes, _ := channeltest.Nodes(t, len(capacities))
	for i, ch := range channeltest.Open(t, "resources", nodes...) {
		cfg := resmgr.Config{Node: nodes[i], Channel: ch}
		if capacities[i] != "" {
			have, err := resmgr.ParseAmounts(capacities[i])
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("web%d", i+1)
			cfg.Shares = []resmgr.Share{{Name: name, Capacity: have, Tags: resmgr.Tags{"name": name}}}
		}
		m, err := resmgr.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		h := serving(api.Config{Leases: m})
		host := network.Host(fmt.Sprintf("10.0.0.%d", i+1))
		l, err := host.Listen(fmt.Sprintf("10.0.0.%d:7940", i+1))
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: h, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
		client, err := api.NewOver(host.Dial, "http://"+l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { m.Run(t.Context()) })
		wg.Go(func() { server.Serve(l) })
		t.Cleanup(func() { server.Close(); wg.Wait() })
		o.handlers, o.clients, o.managers = append(o.handlers, h), append(o.clients, client), append(o.managers, m)
	}
	time.Sleep(2 * time.Second) // managers settle
	return o
}

// send is one request with a JSON body and header lines, at web1.
func (o *office) send(method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, bytes.NewReader([]byte(body)))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	o.handlers[0].ServeHTTP(w, r)
	return w
}

// coded fails unless err has the code, and returns it.
func coded(t *testing.T, err error, want api.Code) *api.Error {
	t.Helper()
	var got *api.Error
	if !errors.As(err, &got) || got.Code != want {
		t.Fatalf("error %v, want code %s", err, want)
	}
	return got
}

func TestLeaseLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, "", "cpu=2,mem=1Gi", "cpu=4,gpu=1")
		c, ctx := o.clients[0], t.Context()
		grant, err := c.RequestLease(ctx, api.LeaseRequest{Holder: "job 7", Needs: "cpu=1.5", Nodes: 2, ID: "deploy-1"})
		if err != nil || len(grant.Leases) != 2 || grant.Request != "deploy-1" {
			t.Fatal(grant, err)
		}
		l := grant.Leases[0]
		if l.ID != "web2:1" || l.Node != "web2" || l.Fence != 1 || l.Holder != "job 7" || l.TTL != "30s" || l.Left != 30_000 || l.Amounts.String() != "cpu=1.5" {
			t.Errorf("lease %+v", l)
		}
		again, err := c.RequestLease(ctx, api.LeaseRequest{Holder: "job 7", Needs: "cpu=1.5", Nodes: 2, ID: "deploy-1"})
		if err != nil || len(again.Leases) != 2 || again.Leases[0].ID != l.ID {
			t.Errorf("the same request again: %+v, %v", again, err)
		}
		time.Sleep(20 * time.Second)
		renewed, err := c.Renew(ctx, l.ID, api.LeaseRenewal{Holder: "job 7", TTL: "1m"})
		if err != nil || renewed.Left != 60_000 || renewed.TTL != "1m0s" || renewed.Expires.Sub(l.Expires) != 50*time.Second {
			t.Errorf("renewed %+v, %v", renewed, err)
		}
		if all, err := c.Leases(ctx); err != nil || len(all) != 2 || all[0].ID != "web2:1" || all[1].ID != "web3:1" {
			t.Errorf("leases %+v, %v", all, err)
		}
		if given, err := o.clients[1].Leases(ctx); err != nil || len(given) != 1 || given[0].ID != "web2:1" {
			t.Errorf("leases at the node that gave one: %+v, %v", given, err)
		}
		time.Sleep(11 * time.Second) // the other has expired
		_, err = c.Renew(ctx, "web3:1", api.LeaseRenewal{Holder: "job 7"})
		coded(t, err, api.LeaseEnded)
		_, err = c.Lease(ctx, "web3:1")
		coded(t, err, api.NotFound)
		_, err = c.Renew(ctx, l.ID, api.LeaseRenewal{Holder: "somebody"})
		coded(t, err, api.NotHolder)
		coded(t, c.Release(ctx, l.ID, "somebody"), api.NotHolder)
		for range 2 {
			if err := o.clients[2].Release(ctx, l.ID, "job 7"); err != nil { // through another node
				t.Error(err)
			}
		}
		_, err = c.Renew(ctx, l.ID, api.LeaseRenewal{Holder: "job 7"})
		coded(t, err, api.LeaseEnded)
		_, err = c.Renew(ctx, "web2:99", api.LeaseRenewal{Holder: "job 7"})
		coded(t, err, api.NotFound)
		_, err = c.Renew(ctx, "web9:1", api.LeaseRenewal{Holder: "job 7"})
		coded(t, err, api.NoAnswer)
	})
}

func TestLeaseReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, "", "cpu=2,mem=1Gi", "cpu=4,gpu=1")
		c, ctx := o.clients[0], t.Context()
		offers, err := c.Offers(ctx, api.LeaseRequest{Holder: "h", Needs: "gpu=1"})
		if err != nil || len(offers.Items) != 1 || offers.Items[0].Node != "web3" || offers.Items[0].Tags["name"] != "web3" || offers.Items[0].Free["gpu"] != 1 {
			t.Errorf("offers %+v, %v", offers, err)
		}
		if r := offers.Reasons; len(r) != 1 || r[0].Node != "web2" || r[0].Code != "unknown_kind" || r[0].Detail != "gpu: it has none" {
			t.Errorf("reasons %+v", r)
		}
		_, err = c.RequestLease(ctx, api.LeaseRequest{Holder: "h", Needs: "cpu=8"})
		if e := coded(t, err, api.Impossible); len(e.Reasons) != 2 || e.Reasons[1].Need != 8 || e.Reasons[1].Capacity != 4 {
			t.Errorf("reasons %+v", e.Reasons)
		}
		if _, err = c.RequestLease(ctx, api.LeaseRequest{Holder: "h", Needs: "cpu=4"}); err != nil {
			t.Fatal(err)
		}
		w := o.send("POST", "/v1/leases", `{"holder": "h", "needs": "cpu=0.5,gpu=1"}`)
		for _, want := range []string{`"code": "no_offer"`, `"node": "web3"`, `"code": "no_room"`, `"need": 0.5`, `"detail": "cpu: 0.5 asked, 0 of 4 free"`} {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%d %s: no %s", w.Code, w.Body, want)
			}
		}
		if w.Code != 503 || w.Header().Get("Retry-After") != "1" || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%d %v", w.Code, w.Header())
		}
		// The second cannot be had by the same id as the first.
		if w := o.send("POST", "/v1/leases", `{"holder": "h", "needs": "mem=1M"}`, "Idempotency-Key", "a"); w.Code != 201 || w.Header().Get("Location") != "/v1/leases/web2:1" {
			t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
		}
		if w := o.send("POST", "/v1/leases", `{"holder": "h", "needs": "mem=2M"}`, "Idempotency-Key", "a"); w.Code != 422 || !strings.Contains(w.Body.String(), `"id_reused"`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func TestLeaseMatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, "cpu=2")
		if _, err := o.clients[0].RequestLease(t.Context(), api.LeaseRequest{Holder: "h", Needs: "cpu=1"}); err != nil {
			t.Fatal(err)
		}
		first := o.send("GET", "/v1/leases/web1:1", "").Header().Get("ETag")
		time.Sleep(time.Second)
		w := o.send("PUT", "/v1/leases/web1:1/renewal", `{"holder": "h"}`, "If-Match", first)
		second := w.Header().Get("ETag")
		if w.Code != 200 || first == "" || second == "" || first == second {
			t.Errorf("%d, tags %s and %s", w.Code, first, second)
		}
		if w := o.send("POST", "/v1/leases/web1:1/renewal", `{"holder": "h"}`, "If-Match", first); w.Code != 412 || !strings.Contains(w.Body.String(), `"changed"`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := o.send("DELETE", "/v1/leases/web1:1?holder=h", "", "If-Match", first); w.Code != 412 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := o.send("DELETE", "/v1/leases/web1:1?holder=h", "", "If-Match", second); w.Code != 204 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// A request may wait longer than the server's own timeouts, and who goes away
// takes it with them.
func TestLeaseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, "", "gpu=1")
		c, ctx := o.clients[0], t.Context()
		first, err := c.RequestLease(ctx, api.LeaseRequest{Holder: "a", Needs: "gpu=1", TTL: "10m"})
		if err != nil {
			t.Fatal(err)
		}
		waiting := func() int { return o.managers[1].Status()[0].Waiting }
		gone, leave := context.WithCancel(ctx)
		left := make(chan error)
		go func() {
			_, err := c.RequestLease(gone, api.LeaseRequest{Holder: "b", Needs: "gpu=1", Wait: "1h"})
			left <- err
		}()
		time.Sleep(5 * time.Second)
		if waiting() != 1 {
			t.Fatalf("%d wait, want 1", waiting())
		}
		leave()
		coded(t, <-left, api.Failed)
		time.Sleep(time.Second)
		if waiting() != 0 {
			t.Errorf("%d wait after the client left", waiting())
		}
		time.AfterFunc(2*time.Minute, func() { c.Release(ctx, first.Leases[0].ID, "a") })
		began := time.Now()
		second, err := c.RequestLease(ctx, api.LeaseRequest{Holder: "c", Needs: "gpu=1", Wait: "1h"})
		if err != nil || time.Since(began) != 2*time.Minute || second.Leases[0].Fence != 2 {
			t.Errorf("%+v after %v, %v", second, time.Since(began), err)
		}
	})
}

func TestLeaseBadInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, "cpu=2")
		post := func(body string) (string, string, string) { return "POST", "/v1/leases", body }
		check := func(status int, says string) func(method, target, body string) {
			return func(method, target, body string) {
				t.Helper()
				w := o.send(method, target, body)
				if w.Code != status || !strings.Contains(w.Body.String(), says) {
					t.Errorf("%s %s %s: %d %s, want %d with %q", method, target, body, w.Code, w.Body, status, says)
				}
			}
		}
		for body, says := range map[string]string{
			`{"holder": "h", "needs": "cpu=-1"}`:                                                 `column 5: cpu is \"-1\": it is negative`,
			`{"holder": "h", "needs": "cpu=0"}`:                                                  `it is zero: leave cpu out`,
			`{"holder": "h", "needs": "mem=5E"}`:                                                 `want bytes, such as 512Mi`,
			`{"holder": "h", "needs": "mem=9999999P"}`:                                           `more than any node can have`,
			`{"holder": "h", "needs": "cpu=many"}`:                                               `want processors, such as 2`,
			`{"holder": "h", "needs": "gpu=0.5"}`:                                                `want a whole number`,
			`{"holder": "h", "needs": "cpu=1,cpu=2"}`:                                            `stands here twice`,
			`{"holder": "h", "needs": ""}`:                                                       `body.needs: `,
			`{"holder": "", "needs": "cpu=1"}`:                                                   `body.holder: `,
			`{"needs": "cpu=1"}`:                                                                 `holder`,
			`{"holder": "a\u0007", "needs": "cpu=1"}`:                                            `is not printable`,
			`{"holder": "h", "needs": "cpu=1", "ttl": "0.5s"}`:                                   `body.ttl: \"0.5s\" is not a duration from 1s to 1h0m0s`,
			`{"holder": "h", "needs": "cpu=1", "ttl": "2h"}`:                                     `body.ttl: `,
			`{"holder": "h", "needs": "cpu=1", "ttl": "soon"}`:                                   `body.ttl: `,
			`{"holder": "h", "needs": "cpu=1", "wait": "-1s"}`:                                   `body.wait: `,
			`{"holder": "h", "needs": "cpu=1", "nodes": 65}`:                                     `body.nodes: `,
			`{"holder": "h", "needs": "cpu=1", "nodes": 0}`:                                      `body.nodes: `,
			`{"holder": "h", "needs": "cpu=1", "criteria": "best"}`:                              `body.criteria: `,
			`{"holder": "h", "needs": "cpu=1", "selector": "zone=a, ssd in"}`:                    `body.selector: \"zone=a, ssd in\", column `,
			`{"holder": "h", "needs": "cpu=1", "colour": "red"}`:                                 `colour`,
			`{"holder": "` + strings.Repeat("é", 100) + `", "needs": "cpu=1"}`:                   `body.holder: 200 bytes: want 1 to 128`,
			`{"holder": "h", "needs": "cpu=1", "selector": "` + strings.Repeat("a,", 40) + `a"}`: `more than 32 conditions`,
		} {
			check(422, says)(post(body))
		}
		check(400, "")(post(`{"holder": `))
		check(409, `"impossible"`)(post(`{"holder": "h", "needs": "camera=1"}`))
		check(409, `"tags"`)(post(`{"holder": "h", "needs": "cpu=1", "selector": "zone=a"}`))
		check(422, "query.dry_run")("POST", "/v1/leases?dry_run=perhaps", `{"holder": "h", "needs": "cpu=1"}`)
		check(404, "knows no lease web1:5")("GET", "/v1/leases/web1:5", "")
		check(422, "want MANAGER:FENCE")("GET", "/v1/leases/5", "")
		check(422, "query.holder")("DELETE", "/v1/leases/web1:5", "")
		check(404, `"not_found"`)("DELETE", "/v1/leases/web1:5?holder=h", "")
		check(422, "body.ttl")("PUT", "/v1/leases/web1:5/renewal", `{"holder": "h", "ttl": "2h"}`)
		check(405, "method_not_allowed")("PATCH", "/v1/leases/web1:5", "")
	})
}

func TestLeaseBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, "thing=2000")
		for range 1000 {
			if _, err := o.managers[0].Request(t.Context(), resmgr.Request{Holder: "h", Needs: resmgr.Amounts{{Kind: "thing", Quantity: 1}}}); err != nil {
				t.Fatal(err)
			}
		}
		w := o.send("POST", "/v1/leases", `{"holder": "h", "needs": "thing=1"}`)
		if w.Code != 429 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "as many as it may") {
			t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
		}
		if w := o.send("POST", "/v1/leases", `{"holder": "another", "needs": "thing=1"}`); w.Code != 201 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func TestLeaseChange(t *testing.T) {
	l := resmgr.Lease{ID: resmgr.LeaseID{Manager: "web1", Fence: 3}, Holder: "h"}
	var told []string
	for kind := resmgr.Granted; kind <= resmgr.Lost; kind++ {
		if c, ok := api.NewLeaseChange(resmgr.Change{Kind: kind, Lease: l, Reason: resmgr.Reason{Code: resmgr.CodeLeft, Detail: "it leaves"}}); ok {
			told = append(told, strings.TrimSpace(c.Change+" "+c.Lease.ID+" "+c.Reason))
		}
	}
	want := []string{"granted web1:3", "released web1:3", "expired web1:3", "ended web1:3 it leaves", "lost web1:3"}
	if !slices.Equal(told, want) {
		t.Errorf("%q, want %q", told, want)
	}
}
