package resmgr

import "fmt"

// ChangeKind says what happened to a lease.
type ChangeKind uint8

// What can happen to a lease of this node's clients.
const (
	Granted  ChangeKind = 1 + iota
	Renewed             // Until is later
	Released            // by its holder
	Expired             // nobody renewed it in time
	Ended               // its manager has ended it, or ends it when its time is over
	Lost                // its manager's node left or died
	changes
)

var changeNames = [changes]string{"", "granted", "renewed", "released", "expired", "ended", "lost"}

// String is one word.
func (k ChangeKind) String() string {
	if k > 0 && k < changes {
		return changeNames[k]
	}
	return fmt.Sprintf("ChangeKind(%d)", uint8(k))
}

// Change is what happened to one lease that was granted or renewed through this
// node. After Released to Lost the holder must have stopped; a lease that was
// lost may be renewed all the same when its manager comes back before its time
// is over.
type Change struct {
	Kind   ChangeKind
	Lease  Lease
	Reason Reason // of Ended
}
