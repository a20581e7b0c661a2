package policy

import "time"

// spread is how much service times differ: their mean and their mean square, of
// all at first, and then with weight .005.
type spread struct {
	mean, square float64
	count        int
}

// spreadOf is how many services are looked at, and unevenAbove from which square
// of the coefficient of variation on they are uneven: exponential ones have 1,
// lognormal ones of sigma 1 have 1.7.
const (
	spreadOf    = 200
	unevenAbove = 1.3
)

// note counts a service.
func (s *spread) note(took time.Duration) {
	s.count = min(s.count+1, spreadOf)
	t := took.Seconds()
	s.mean += (t - s.mean) / float64(s.count)
	s.square += (t*t - s.square) / float64(s.count)
}

// uneven reports whether a few services take much longer than most: then a load
// says little of how long one waits, and who is free first is better asked.
func (s *spread) uneven() bool {
	return s.count == spreadOf && s.square > (1+unevenAbove)*s.mean*s.mean
}
