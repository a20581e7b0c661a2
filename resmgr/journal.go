package resmgr

// Entry is a record of one of the managers that share a journal.
type Entry struct {
	Manager string
	Record  Record
}

// Journal keeps what managers must not forget. Its methods are called one at a
// time.
type Journal interface {
	// Recover is what the journal holds of a manager, before anything is
	// written.
	Recover(manager string) (Recovered, error)
	// Write returns when all entries are where a crash does not reach them, in
	// their order. With an error it is not known what is.
	Write(entries []Entry) error
}

// MemoryJournal keeps nothing beyond its process: it is for managers that may
// forget, and for tests, where one journal can serve several lives. The zero
// value is empty. It is not safe for concurrent use.
type MemoryJournal struct {
	held map[string]*Recovered
}

var _ Journal = (*MemoryJournal)(nil)

// Recover implements Journal.
func (j *MemoryJournal) Recover(manager string) (Recovered, error) {
	if have := j.held[manager]; have != nil {
		return have.Clone(), nil
	}
	return Recovered{}, nil
}

// Write implements Journal.
func (j *MemoryJournal) Write(entries []Entry) error {
	if j.held == nil {
		j.held = map[string]*Recovered{}
	}
	for _, e := range entries {
		have := j.held[e.Manager]
		if have == nil {
			have = &Recovered{}
			j.held[e.Manager] = have
		}
		have.Apply(e.Record)
	}
	return nil
}
