package metrics

// Route says where a request was served. The values are those of package
// balancer and of the label "route".
type Route string

// The routes.
const (
	Local     Route = "local"     // by this node's upstream, for its own client
	Forwarded Route = "forwarded" // by a peer, for this node's client
	Received  Route = "received"  // by this node's upstream, for a peer
	Rejected  Route = "rejected"  // by nobody: shed, refused or failed here
)

var routes = [...]Route{Local, Forwarded, Received, Rejected}

// index is r's place in routes; what is no route goes to Rejected's.
func (r Route) index() int {
	switch r {
	case Local:
		return 0
	case Forwarded:
		return 1
	case Received:
		return 2
	}
	return 3
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
	// What became of requests that found no local place.
	overflowReasons = []string{"soft_limit", "no_peer", "shed", "displaced", "timeout", "early"}
	// What a threshold was after a crossing.
	crossingStates = []string{"raised", "cancelled"}
	// What became of a crossing that an event or a webhook was to tell of.
	messageResults = []string{"told", "failed", "dropped"}
	// What became of a copy that was sent to a peer.
	moves       = []string{"offer", "claim", "late_claim", "unanswered", "grant", "push", "refusal", "copy", "backup"}
	copyResults = []string{"answered", "busy", "lost", "silent", "cancelled", "late"}
	// What became of a health check of the web server.
	checkResults = []string{"good", "bad"}
	// Why an event or a frame went nowhere (channel.Stats).
	dropReasons = []string{"conflated", "decode", "filtered", "late", "no_sink", "overrun", "repeated", "returned", "suspended", "too_fast", "unasked", "unsent"}
)

const other = "other"
