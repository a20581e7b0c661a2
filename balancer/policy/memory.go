package policy

// maxMemory is how many guests that are over a core remembers.
const maxMemory = 4096

// memory is the guests that were begun or refused here last, so that nothing
// that is repeated or late has one begun again.
type memory struct {
	known map[guestName]bool
	ring  []guestName
	next  int
}

func (m *memory) has(name guestName) bool { return m.known[name] }

func (m *memory) add(name guestName) {
	if m.known[name] {
		return
	}
	if m.known == nil {
		m.known = make(map[guestName]bool)
	}
	m.known[name] = true
	if len(m.ring) < maxMemory {
		m.ring = append(m.ring, name)
		return
	}
	delete(m.known, m.ring[m.next])
	m.ring[m.next] = name
	m.next = (m.next + 1) % maxMemory
}
