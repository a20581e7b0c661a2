package orca

import (
	"strconv"
	"strings"
)

// Report is what an agent says of its node; nil is not known, and not said.
type Report struct {
	CPU, Memory, Application *float64 // shares; Application may be above 1
	RPS, EPS                 *float64 // requests, and those that failed, a second
}

// Text is the report as the field's value; "" when it says nothing.
func (r Report) Text() string {
	var b strings.Builder
	for _, f := range []struct {
		name  string
		value *float64
	}{
		{"cpu_utilization", r.CPU}, {"mem_utilization", r.Memory}, {"application_utilization", r.Application},
		{"rps_fractional", r.RPS}, {"eps", r.EPS},
	} {
		if f.value == nil {
			continue
		}
		b.WriteString(map[bool]string{true: "TEXT ", false: ","}[b.Len() == 0])
		b.WriteString(f.name + "=" + strconv.FormatFloat(*f.value, 'f', 3, 64))
	}
	return b.String()
}
