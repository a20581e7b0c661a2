package resmgr_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"kecho/channel"
	"kecho/resmgr"
)

// One node asks its own manager; with links it would ask every node that has
// the channel open.
func Example() {
	node, err := channel.New(channel.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	resources, err := node.Open("resources")
	if err != nil {
		fmt.Println(err)
		return
	}
	capacity, err := resmgr.ParseAmounts("cpu=2,gpu=1")
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := resmgr.New(resmgr.Config{
		Node: node, Channel: resources, Shares: []resmgr.Share{{Name: "web1", Capacity: capacity}},
		Settle: -1, // nobody else is there to remember anything
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { node.Run(ctx) })
	wg.Go(func() { m.Run(ctx) })

	needs, _ := resmgr.ParseAmounts("gpu=1")
	grant, err := m.Request(ctx, resmgr.Request{Holder: "job 7", Needs: needs})
	for errors.Is(err, resmgr.ErrNoOffer) { // Run has only just begun
		grant, err = m.Request(ctx, resmgr.Request{Holder: "job 7", Needs: needs})
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	lease := grant.Leases[0]
	fmt.Println(lease.ID, "gives", lease.Holder, lease.Amounts, "for", lease.TTL)

	_, err = m.Request(ctx, resmgr.Request{Holder: "job 8", Needs: needs})
	fmt.Println(err)
	fmt.Println(m.Release(ctx, lease.ID, "job 7"))
	// Output:
	// web1:1 gives job 7 gpu=1 for 30s
	// 0 of 1 nodes offered; web1: gpu: 1 asked, 0 of 1 free
	// <nil>
}
