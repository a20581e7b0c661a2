package gauges

// Stats are counts since the table was made.
type Stats struct {
	// Raised and Cancelled are crossings of all thresholds.
	Raised, Cancelled uint64
	// Told are crossings whose event was submitted and whose webhook was
	// answered, Untold those for which one of both failed, Dropped those that
	// waited too long behind others.
	Told, Untold, Dropped uint64
}

// Stats are the counts so far.
func (t *Table) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

func (t *Table) countTold(ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ok {
		t.count.Told++
	} else {
		t.count.Untold++
	}
}

func (t *Table) countDropped(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count.Dropped += uint64(n)
}
