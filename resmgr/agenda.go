package resmgr

import (
	"container/heap"
	"slices"
	"time"
)

// agenda is what time alone changes, soonest first. An entry whose subject has
// another time by then is put in again or dropped when it comes up, so that a
// renewal costs nothing here.
type agenda []entry

type entry struct {
	at   time.Duration
	what any // *ask or *granted of a Granter; *Asking, *Call, *held or *undoing of an Asker
}

// add puts e in its place.
func (a *agenda) add(e entry) { heap.Push(a, e) }

// due takes out the first entry if its time has come.
func (a *agenda) due(now time.Duration) (e entry, ok bool) {
	if len(*a) == 0 || (*a)[0].at > now {
		return entry{}, false
	}
	return heap.Pop(a).(entry), true
}

// weed drops the entries whose subject is over when there are many more than
// live ones, so that what is long over is not kept for its time.
func (a *agenda) weed(live int, over func(what any) bool) {
	if len(*a) < 4*live+1024 {
		return
	}
	*a = slices.DeleteFunc(*a, func(e entry) bool { return over(e.what) })
	heap.Init(a)
}

// Len, Less, Swap, Push and Pop are heap.Interface.
func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at < a[j].at }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(e any)        { *a = append(*a, e.(entry)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	(*a)[len(*a)-1] = entry{}
	*a = (*a)[:len(*a)-1]
	return last
}
