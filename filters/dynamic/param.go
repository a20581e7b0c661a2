package dynamic

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Param describes one parameter of a stock filter.
type Param struct {
	Name string
	// Type is "count" (1 to 10000), "duration" (more than 0), "text", "list"
	// (texts between commas) or a choice, its words between bars.
	Type string
	// Default is the value when none is given; empty and not Required: the
	// filter's About says what it means.
	Default  string
	Required bool
	About    string
}

const maxCount = 10_000

// args is the parameters of one filter, checked: each has the type that its
// Param says.
type args map[string]string

// parseArgs reads "name=value" words by the filter's parameters.
func parseArgs(params []Param, words []string) (args, error) {
	got := args{}
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			return nil, fmt.Errorf("%.60q is not name=value", word)
		}
		i := slices.IndexFunc(params, func(p Param) bool { return p.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("no parameter %.40q: %s", name, known(params))
		}
		if _, twice := got[name]; twice {
			return nil, fmt.Errorf("parameter %s is given twice", name)
		}
		if err := params[i].check(value); err != nil {
			return nil, fmt.Errorf("parameter %s: %w", name, err)
		}
		got[name] = value
	}
	for _, p := range params {
		if _, ok := got[p.Name]; ok {
			continue
		}
		if p.Required {
			return nil, fmt.Errorf("parameter %s is missing: %s", p.Name, p.About)
		}
		got[p.Name] = p.Default
	}
	return got, nil
}

func known(params []Param) string {
	if len(params) == 0 {
		return "it has none"
	}
	var names []string
	for _, p := range params {
		names = append(names, p.Name)
	}
	return "it has " + strings.Join(names, ", ")
}

func (p Param) check(value string) error {
	switch p.Type {
	case "count":
		if n, err := strconv.Atoi(value); err != nil || n < 1 || n > maxCount {
			return fmt.Errorf("%.40q is not a number from 1 to %d", value, maxCount)
		}
	case "duration":
		if d, err := time.ParseDuration(value); err != nil || d <= 0 {
			return fmt.Errorf("%.40q is not a duration above 0, like 1.5s", value)
		}
	case "text", "list":
		if value == "" || slices.Contains(strings.Split(value, ","), "") && p.Type == "list" {
			return fmt.Errorf("%.40q is empty or has an empty word", value)
		}
	default:
		if words := strings.Split(p.Type, "|"); !slices.Contains(words, value) {
			return fmt.Errorf("%.40q is not one of %s", value, strings.Join(words, ", "))
		}
	}
	return nil
}

func (a args) count(name string) int {
	n, _ := strconv.Atoi(a[name])
	return n
}

func (a args) duration(name string) time.Duration {
	d, _ := time.ParseDuration(a[name])
	return d
}

func (a args) list(name string) []string {
	if a[name] == "" {
		return nil
	}
	return strings.Split(a[name], ",")
}
