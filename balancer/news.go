package balancer

import (
	"net/http"

	"kecho/channel"
)

// news is what a peer says about a call, or what becomes of the peer. A call
// gets at most one typeTaken and one of the others from each peer, one typeHint
// until that is taken, and of this node itself one typeBroken and one
// typeStopped: its channel has room for all.
type news struct {
	typ    channel.Type // typeTaken, typeHint, typeBusy, typeAnswer, typeFailed, or one of the following
	from   channel.NodeID
	peer   string      // the peer's name, of an answer
	head   *answerHead // of an answer
	header http.Header // of an answer, checked; nil: it came as bytes
	bytes  answerBytes // of an answer
	window int         // of a taken
	reason string      // of a busy or failed
}

// What is news and no event.
const (
	typeGone    channel.Type = "gone"    // the link to the peer went down
	typeBroken  channel.Type = "broken"  // the client broke its request off
	typeStopped channel.Type = "stopped" // this node stops
)

// tell does not block: see news.
func (c *call) tell(n news) { c.news <- &n }
