package journal

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"kecho/channel/channeltest"
	"kecho/resmgr"
)

// BenchmarkRecover reads a journal of 100,000 leases.
func BenchmarkRecover(b *testing.B) {
	path := filepath.Join(b.TempDir(), "leases.db")
	j := open(b, path)
	const n = 100_000
	for f := 0; f < n; f += 1000 {
		var batch []resmgr.Entry
		for k := range 1000 {
			batch = append(batch, entries("a", lease(f+k+1))...)
		}
		if err := j.Write(batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
		j = open(b, path)
		if had, err := j.Recover("a"); err != nil || len(had.Leases) != n {
			b.Fatal(len(had.Leases), err)
		}
	}
}

// BenchmarkWrite is one fsync with so many leases in it.
func BenchmarkWrite(b *testing.B) {
	for _, size := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			j := open(b, filepath.Join(b.TempDir(), "leases.db"))
			f := 0
			for b.Loop() {
				var batch []resmgr.Entry
				for range size {
					f++
					end := lease(max(f-1000, 1))
					end.Kind = resmgr.RecordEnd
					batch = append(batch, entries("a", end, lease(f))...)
				}
				if err := j.Write(batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(f)/b.Elapsed().Seconds(), "leases/s")
		})
	}
}

// BenchmarkGrants is request, grant and release of one manager on another node,
// by so many clients at once, with the journal on the disk and without.
func BenchmarkGrants(b *testing.B) {
	for _, clients := range []int{1, 16, 128} {
		for _, kept := range []bool{true, false} {
			b.Run(fmt.Sprintf("clients=%d/disk=%v", clients, kept), func(b *testing.B) { benchGrants(b, clients, kept) })
		}
	}
}

func benchGrants(b *testing.B, clients int, kept bool) {
	nodes, _ := channeltest.Nodes(b, 2)
	chans := channeltest.Open(b, "resources", nodes...)
	var j resmgr.Journal
	if kept {
		j = open(b, filepath.Join(b.TempDir(), "leases.db"))
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(b.Context())
	defer wg.Wait()
	defer cancel()
	start := func(i int, shares []resmgr.Share) *resmgr.Manager {
		m, err := resmgr.New(resmgr.Config{Node: nodes[i], Channel: chans[i], Journal: j, Shares: shares, Settle: -1})
		if err != nil {
			b.Fatal(err)
		}
		wg.Go(func() { m.Run(ctx) })
		return m
	}
	asks := start(0, nil)
	start(1, []resmgr.Share{{Name: "web2", Capacity: resmgr.Amounts{{Kind: resmgr.CPU, Quantity: 1_000_000}}}})
	one := func(holder string) error {
		grant, err := asks.Request(ctx, resmgr.Request{Holder: holder, Needs: resmgr.Amounts{{Kind: resmgr.CPU, Quantity: 10}}, Wait: time.Minute})
		if err != nil {
			return err
		}
		return asks.Release(ctx, grant.Leases[0].ID, holder)
	}
	if err := one("first"); err != nil {
		b.Fatal(err)
	}
	work := make(chan struct{})
	var at sync.WaitGroup
	for i := range clients {
		at.Go(func() {
			for range work {
				if err := one(fmt.Sprint("holder-", i)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for b.Loop() {
		work <- struct{}{}
	}
	close(work)
	at.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "grants/s")
}
