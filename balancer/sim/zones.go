package sim

import "time"

// zone is where node i is: every 8 nodes, as many in each zone, one after the
// other; "" when there are no zones.
func (s *Scenario) zone(i int) string {
	if s.Zones == 0 {
		return ""
	}
	return string(rune('a' + i%8*s.Zones/8))
}

// delay is how long a message takes from one node to another.
func (w *world) delay(from, to int) time.Duration {
	if s := &w.cfg.Scenario; s.Zones > 0 && s.zone(from) != s.zone(to) {
		return s.Far
	}
	return w.cfg.Delay
}
