package metrics

// Connections are those of clients.
type Connections struct {
	Open, Busy, Most int
	Accepted         uint64
	Limited          map[string]uint64 // times that a limit was met, by reason
}

// limitReasons are the values of the label reason of connectionsLimitedDesc.
var limitReasons = []string{"address", "room", "busy", "files", "flood"}

var (
	connectionsDesc         = desc("client_connections", "Connections of clients that are open.")
	connectionsBusyDesc     = desc("client_connections_busy", "Those of them on which a request is served.")
	connectionsMostDesc     = desc("client_connections_max", "Connections of clients that may be open.")
	connectionsAcceptedDesc = desc("client_connections_accepted_total", "Connections of clients that were taken.")
	connectionsLimitedDesc  = desc("client_connections_limited_total", "Times that a limit was met: address, a connection was refused since its address has its share; room, an idle one was closed for another; busy, nothing was accepted for a while since all were busy; files, the process had no descriptor left; flood, an HTTP/2 connection was ended for its resets or empty frames.", "reason")
)

func (x exposer) connections(c Connections) {
	x.gauge(connectionsDesc, float64(c.Open))
	x.gauge(connectionsBusyDesc, float64(c.Busy))
	x.gauge(connectionsMostDesc, float64(c.Most))
	x.counter(connectionsAcceptedDesc, c.Accepted)
	x.closed(connectionsLimitedDesc, limitReasons, c.Limited)
}
