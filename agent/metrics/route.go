package metrics

// Route says where a request was served.
type Route uint8

// The routes.
const (
	Local     Route = iota // by this node's upstream, for its own client
	Forwarded              // by a peer, for this node's client
	Received               // by this node's upstream, for a peer
	Rejected               // by nobody: shed, refused or failed here
	routes
)

var routeNames = [routes]string{"local", "forwarded", "received", "rejected"}

// String is the value of the label "route".
func (r Route) String() string {
	if r < routes {
		return routeNames[r]
	}
	return "other"
}

// Classes of status codes; class 0 is "none", for requests without an answer.
const classes = 6

var classNames = [classes]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

func classOf(status int) int {
	if class := status / 100; status >= 100 && class < classes {
		return class
	}
	return 0
}

// The closed sets of label values. What is not in a set is counted as other.
var (
	overflowReasons = []string{"soft_limit", "hard_limit", "queue_full", "queue_age", "upstream_down", "draining", other}
	copyResults     = []string{"answered", "busy", "lost", "cancelled", "late", other}
	dropReasons     = []string{"decode", "expired", "filtered", "no_link", "no_sink", "queue_full", "too_large", other}
)

const other = "other"
