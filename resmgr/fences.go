package resmgr

// Fences is the highest fence that was heard of each manager. Every node keeps
// one, so that the cluster remembers what a manager forgot whose journal was
// lost or put back from an old copy.
type Fences struct {
	highest map[string]Fence
	max     int
}

// NewFences remembers managers up to max; zero: 4,096. Later ones are not
// remembered.
func NewFences(max int) *Fences {
	if max <= 0 {
		max = 4096
	}
	return &Fences{highest: map[string]Fence{}, max: max}
}

// Note takes that a manager gave, or says that it has, fence. It returns the
// highest that is remembered; when that is higher, the manager should hear it.
func (f *Fences) Note(manager string, fence Fence) Fence {
	had, known := f.highest[manager]
	if fence > had && (known || len(f.highest) < f.max) {
		f.highest[manager] = fence
		return fence
	}
	return max(had, fence)
}
