package policy

// State is a node at one moment.
type State struct {
	Running, Queued int
	Soft            int
	Down, Draining  bool
	Overflow        bool // raised by SetOverflow
	Sick            bool // this web server fails, and nothing is taken from peers
}

// Load is (running + queued) / places.
func (s State) Load() float64 { return float64(s.Running+s.Queued) / float64(max(s.Soft, 1)) }

// Capacity is how many places peers may count on: none when the web server is
// down, or overflow is raised.
func (s State) Capacity() int {
	if s.Down || s.Overflow {
		return 0
	}
	return s.Soft
}

// State is the state now.
func (c *Core) State() State {
	return State{Running: c.running, Queued: c.queue.len(), Soft: c.cfg.Places, Down: c.down, Draining: c.draining, Overflow: c.raised, Sick: c.sick}
}

// Sick is that of State.
func (c *Core) Sick() bool { return c.sick }
