package dynamic

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kecho/channel"
	"kecho/filters"
)

// StockConfig has what stock filters need of their node.
type StockConfig struct {
	// Zone is this node's, for "near". Zero: it is in none.
	Zone string
	// Sent is LeastLoadedConfig.Sent, for "least-loaded". Nil: none.
	Sent func(channel.NodeID) int
	// Now is the clock of "fresh". Nil: time.Now.
	Now func() time.Time
	// Rand is a random number in [0, 1), safe for concurrent use. Nil:
	// math/rand/v2's Float64.
	Rand func() float64
}

// StockFilter describes one stock filter.
type StockFilter struct {
	Name   string
	About  string
	In     bool // it makes sense as an IN-filter too
	Params []Param

	build func(s *Stock, a args) channel.Filter
}

// Stock compiles the stock filters by name and parameters:
//
//	remote | fresh max-age=2s | least-loaded n=2
//
// Filters stand between bars and run from left to right, each on what the one
// before left. It is immutable.
type Stock struct {
	cfg   StockConfig
	table []StockFilter // ordered by name
}

var _ Compiler = (*Stock)(nil)

const maxStockSource = 4 << 10 // bytes

// NewStock makes the registry of the stock filters for one node.
func NewStock(cfg StockConfig) *Stock {
	return &Stock{cfg: cfg, table: stockTable()}
}

// Filters is every stock filter by name. The slice is the caller's.
func (s *Stock) Filters() []StockFilter { return slices.Clone(s.table) }

// Compile reads a chain of stock filters. The error names the filter, its
// column and the parameter.
func (s *Stock) Compile(d Direction, source []byte) (Program, error) {
	if len(source) > maxStockSource {
		return nil, fmt.Errorf("stock filter of %d bytes, at most %d", len(source), maxStockSource)
	}
	var chain []channel.Filter
	column := 1
	for part := range strings.SplitSeq(string(source), "|") {
		f, err := s.one(d, strings.Fields(part))
		if err != nil {
			indent := len(part) - len(strings.TrimLeft(part, " \t\r\n"))
			return nil, fmt.Errorf("column %d: %w", column+indent, err)
		}
		chain = append(chain, f)
		column += len(part) + 1
	}
	return Native(filters.Chain(chain...)), nil
}

func (s *Stock) one(d Direction, words []string) (channel.Filter, error) {
	if len(words) == 0 {
		return nil, fmt.Errorf("a filter's name is missing: want one of: %s", s.names(d))
	}
	i := slices.IndexFunc(s.table, func(f StockFilter) bool { return f.Name == words[0] })
	if i < 0 {
		return nil, fmt.Errorf("no stock filter %.40q: want one of: %s", words[0], s.names(d))
	}
	f := s.table[i]
	if d == In && !f.In {
		return nil, fmt.Errorf("%s picks among nodes: it can only be an OUT-filter", f.Name)
	}
	a, err := parseArgs(f.Params, words[1:])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	return f.build(s, a), nil
}

func (s *Stock) names(d Direction) string {
	var names []string
	for _, f := range s.table {
		if d == Out || f.In {
			names = append(names, f.Name)
		}
	}
	return strings.Join(names, ", ")
}
