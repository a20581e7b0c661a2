package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Pressure is how much stood still because something was short: the fraction
// of the time since the previous Read, 0 to 1, in which at least one task
// waited for it (PSI, Documentation/accounting/psi.rst). It is the worse of the
// machine's and of the process's own control group's.
type Pressure struct {
	CPU, Memory, IO float64

	// HasCPU, HasMemory and HasIO say which of them could be read.
	HasCPU, HasMemory, HasIO bool
}

// pressures are the resources that the kernel tells the pressure of.
var pressures = []string{"cpu", "memory", "io"}

// stalls turns the kernel's counters of stalled time into shares.
type stalls struct {
	resource string
	*groups
	now func() time.Time

	at    time.Time
	total map[string]time.Duration // by file, as last read; nil: there was none
}

// read is errNoValue where the kernel does not tell, at first, and when the
// previous reading is less than a window ago.
func (s *stalls) read(context.Context) (float64, error) {
	now := s.now()
	elapsed := now.Sub(s.at)
	if s.total != nil && elapsed >= 0 && elapsed < window {
		return 0, errNoValue
	}
	before := s.total
	s.at, s.total = now, make(map[string]time.Duration)
	worst := -1.0
	for _, file := range s.files() {
		total, err := stalledTime(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			s.total = nil
			return 0, err
		}
		s.total[file] = total
		if then, ok := before[file]; ok && total >= then && elapsed > 0 {
			worst = max(worst, min(float64(total-then)/float64(elapsed), 1))
		}
	}
	if worst < 0 {
		return 0, errNoValue
	}
	return worst, nil
}

// files are the machine's and, of version 2, that of the process's own group.
func (s *stalls) files() []string {
	files := []string{filepath.Join(s.proc, "pressure", s.resource)}
	if s.find() != nil {
		return files // there are no groups, or the container's feeds say why not
	}
	for _, h := range []hierarchy{s.cpu, s.memory} {
		if h.v2 && len(h.dirs) > 0 {
			return append(files, filepath.Join(h.dirs[0], s.resource+".pressure"))
		}
	}
	return files
}

// stalledTime is "total" of the line "some avg10=0.00 avg60=0.00 avg300=0.00
// total=0": microseconds since the machine or the group began.
func stalledTime(file string) (time.Duration, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "some" {
			continue
		}
		for _, field := range fields {
			number, ok := strings.CutPrefix(field, "total=")
			if us, err := strconv.ParseUint(number, 10, 53); ok && err == nil {
				return time.Duration(us) * time.Microsecond, nil
			}
		}
	}
	return 0, fmt.Errorf("%w: %s has %.80q", errAbsurd, file, text)
}
