package metrics

// Leases is what a node gives of its resources.
type Leases struct {
	Live    int  // leases, and what is being granted
	Waiting int  // requests that wait for room here
	Closed  bool // nothing is granted now
	Kinds   []Resource
}

// Resource is one kind, in base units: processors, bytes, bytes a second, or
// what it counts.
type Resource struct {
	Kind           string
	Capacity, Free float64
}

var (
	leasesDesc   = desc("leases", "Leases of this node's resources that live.")
	waitingDesc  = desc("lease_requests_waiting", "Requests for resources that wait for room here.")
	closedDesc   = desc("leases_closed", "1 while this node grants nothing: readiness says why, else 0.")
	capacityDesc = desc("resource_capacity", "What this node gives of a kind, in processors, bytes, bytes a second or pieces.", "kind")
	freeDesc     = desc("resource_free", "What of it nobody has.", "kind")
)

func (x exposer) leases(l *Leases) {
	if l == nil {
		return
	}
	x.gauge(leasesDesc, float64(l.Live))
	x.gauge(waitingDesc, float64(l.Waiting))
	x.flag(closedDesc, l.Closed)
	for _, r := range l.Kinds { // at most resmgr.MaxKinds, each once
		x.gauge(capacityDesc, r.Capacity, valid(r.Kind))
		x.gauge(freeDesc, r.Free, valid(r.Kind))
	}
}
