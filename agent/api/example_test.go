package api_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"kecho/agent/api"
)

// A job runner has a processor and half a gigabyte for itself while a job runs.
func Example_leases() {
	agent, err := api.New("unix:///run/kecho/api.sock")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	grant, err := agent.RequestLease(ctx, api.LeaseRequest{
		Holder: "runner 3, job 7", Needs: "cpu=1,mem=512Mi", Criteria: "spread", TTL: "30s", Wait: "5m",
	})
	var failed *api.Error
	if errors.As(err, &failed) {
		for _, r := range failed.Reasons {
			fmt.Printf("%s: %s\n", r.Node, r.Detail) // web1: cpu: 1 asked, 0.5 of 4 free
		}
	}
	if err != nil {
		log.Fatal(err)
	}
	lease := grant.Leases[0]
	fmt.Println("the job runs on", lease.Node, "and gives its fence to what it writes to:", lease.Fence)
	for range time.Tick(10 * time.Second) { // a third of the TTL
		if _, err := agent.Renew(ctx, lease.ID, api.LeaseRenewal{Holder: lease.Holder}); err != nil {
			break // try again until 2/3 of the TTL are over, then stop the job
		}
	}
	if err := agent.Release(ctx, lease.ID, lease.Holder); err != nil {
		log.Fatal(err)
	}
}

// What could be granted now, without setting anything aside.
func ExampleClient_Offers() {
	agent, err := api.New("http://127.0.0.1:7940")
	if err != nil {
		log.Fatal(err)
	}
	offers, err := agent.Offers(context.Background(), api.LeaseRequest{Holder: "me", Needs: "gpu=1", Selector: "zone in (a, b)"})
	if err != nil {
		log.Fatal(err)
	}
	for _, o := range offers.Items {
		fmt.Printf("%s has %v of %v free\n", o.Node, o.Free, o.Capacity) // web2 has gpu=1 of gpu=2 free
	}
}
