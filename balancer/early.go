package balancer

import (
	"maps"
	"net/http"
)

// early passes informational answers on.
type early struct {
	w http.ResponseWriter
	// mute: the client cannot hear them: it speaks HTTP/1.0, or waits for
	// 100-continue, which net/http writes without regard for others. Or several
	// servers work on the request, whose hints are of answers that may lose.
	mute bool
}

// isMute says whether the client of r cannot hear informational answers.
func isMute(r *http.Request) bool { return !r.ProtoAtLeast(1, 1) || r.Header["Expect"] != nil }

// pass writes an informational answer to the client. Its error is nil.
func (e *early) pass(status int, header http.Header) error {
	// 100 is written by net/http when the web server begins to read the body.
	if e.mute || status == http.StatusContinue {
		return nil
	}
	inbound(header)
	ours := e.w.Header()
	kept := maps.Clone(ours)
	clear(ours)
	maps.Copy(ours, header)
	e.w.WriteHeader(status)
	clear(ours)
	maps.Copy(ours, kept)
	return nil
}
