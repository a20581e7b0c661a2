package policy

// ageHeap is requests in the order of one of their times; each knows its slot,
// so that any can be taken out.
type ageHeap struct {
	by    heapKind
	items []*Request
}

// heapKind is which of a core's heaps it is: those of what waits for a place go
// by age, the last by when something is due.
type heapKind uint8

const (
	waits heapKind = iota
	offers
	lasts
	dues
)

func (h *ageHeap) len() int { return len(h.items) }

// first is the oldest, nil when there is none.
func (h *ageHeap) first() *Request {
	if len(h.items) == 0 {
		return nil
	}
	return h.items[0]
}

// add puts r where it belongs.
func (h *ageHeap) add(r *Request) {
	h.items = append(h.items, r)
	h.up(len(h.items) - 1)
}

// last is the one that would come out last. It looks at half of them: it is for
// what is rare.
func (h *ageHeap) last() *Request {
	var last *Request
	for _, r := range h.items[len(h.items)/2:] {
		if last == nil || h.before(last, r) {
			last = r
		}
	}
	return last
}

// remove takes r out, and reports whether it was in.
func (h *ageHeap) remove(r *Request) bool {
	i := r.slot[h.by] - 1
	if i < 0 {
		return false
	}
	r.slot[h.by] = 0
	last := len(h.items) - 1
	moved := h.items[last]
	h.items[last] = nil
	h.items = h.items[:last]
	if i == last {
		return true
	}
	h.items[i] = moved
	h.down(i)
	h.up(moved.slot[h.by] - 1)
	return true
}

func (h *ageHeap) before(a, b *Request) bool {
	x, y := a.key, b.key
	if h.by == dues {
		x, y = a.due, b.due
	}
	return x < y || x == y && (a.owner < b.owner || a.owner == b.owner && a.id < b.id)
}

func (h *ageHeap) up(i int) {
	r := h.items[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !h.before(r, h.items[parent]) {
			break
		}
		h.place(i, h.items[parent])
		i = parent
	}
	h.place(i, r)
}

func (h *ageHeap) down(i int) {
	r := h.items[i]
	for {
		child := 2*i + 1
		if child >= len(h.items) {
			break
		}
		if child+1 < len(h.items) && h.before(h.items[child+1], h.items[child]) {
			child++
		}
		if !h.before(h.items[child], r) {
			break
		}
		h.place(i, h.items[child])
		i = child
	}
	h.place(i, r)
}

func (h *ageHeap) place(i int, r *Request) {
	h.items[i] = r
	r.slot[h.by] = i + 1
}
