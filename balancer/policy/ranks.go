package policy

// Class is how urgent a request is: the urgency of RFC 9218 less its default of
// 3, so that zero is the usual one. A lower class goes first.
type Class int8

// The most urgent class and the least urgent one: urgency 0 and 7.
const (
	FirstClass Class = -3
	LastClass  Class = 4
	classes          = int(LastClass-FirstClass) + 1
)

// known is the class that is meant: what is beyond the ends is at the ends.
func (c Class) known() Class { return min(max(c, FirstClass), LastClass) }

// ranks is requests that wait for a place: first by class, then by age. The
// zero value is not ready; see newRanks.
type ranks struct {
	heaps [classes]ageHeap // by class
	count int
	bytes [classes]int64 // what they hold
}

func newRanks(by heapKind) ranks {
	var q ranks
	for i := range q.heaps {
		q.heaps[i].by = by
	}
	return q
}

func (q *ranks) len() int { return q.count }

// first is the oldest of the most urgent class, nil when there is none.
func (q *ranks) first() *Request {
	if q.count == 0 {
		return nil
	}
	for i := range q.heaps {
		if r := q.heaps[i].first(); r != nil {
			return r
		}
	}
	return nil
}

func (q *ranks) add(r *Request) {
	i := r.rank()
	q.heaps[i].add(r)
	q.count++
	q.bytes[i] += r.Bytes
}

// remove takes r out, if it is in.
func (q *ranks) remove(r *Request) {
	i := r.rank()
	if q.heaps[i].remove(r) {
		q.count--
		q.bytes[i] -= r.Bytes
	}
}

// upTo is how many wait that are as urgent as c or more, and what they hold.
func (q *ranks) upTo(c Class) (n int, bytes int64) {
	for i := range int(c-FirstClass) + 1 {
		n += q.heaps[i].len()
		bytes += q.bytes[i]
	}
	return n, bytes
}

// oldest is the oldest of those that are as urgent as c or more, nil when there
// is none.
func (q *ranks) oldest(c Class) *Request {
	if q.count == 0 {
		return nil
	}
	var old *Request
	for i := range int(c-FirstClass) + 1 {
		if r := q.heaps[i].first(); r != nil && (old == nil || r.key < old.key) {
			old = r
		}
	}
	return old
}

// hindmost is who would start last: the youngest of the least urgent class.
func (q *ranks) hindmost() *Request {
	for i := classes - 1; i >= 0; i-- {
		if q.heaps[i].len() > 0 {
			return q.heaps[i].last()
		}
	}
	return nil
}

// rank is which heap r belongs in.
func (r *Request) rank() int { return int(r.Class - FirstClass) }

// before reports whether a place goes to r rather than to s.
func (r *Request) before(s *Request) bool {
	return r.Class < s.Class || r.Class == s.Class && r.key < s.key
}
