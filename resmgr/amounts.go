package resmgr

import (
	"fmt"
	"slices"
	"strings"

	"kecho/resmgr/syntax"
)

// Amount is a quantity of one kind.
type Amount struct {
	Kind     Kind
	Quantity Quantity
}

// Amounts is quantities of several kinds, in the order of their names, each
// kind once. The methods that change nothing treat it as a value; none writes
// to it.
type Amounts []Amount

// MaxKinds is how many kinds a request, or a manager, has at most.
const MaxKinds = 16

// ParseAmounts reads "cpu=2,mem=512Mi,gpu=1"; spaces around commas and '='
// do not matter. Its errors are of type *syntax.Error.
func ParseAmounts(text string) (Amounts, error) {
	p := parser{syntax.New(text)}
	var all Amounts
	for more := true; more; more = p.Comma() {
		p.amount(&all)
	}
	if p.Err != nil {
		return nil, p.Err
	}
	return all, nil
}

// parser reads amounts and selectors from left to right. After the first error,
// which it keeps, nothing that it returns matters.
type parser struct{ *syntax.Parser }

func (p parser) amount(all *Amounts) {
	p.Space()
	start := p.At
	kind := Kind(p.Name("a kind of resource, such as cpu", MaxKind))
	p.Word("=", "= and a quantity, such as "+string(kind)+"=2")
	p.Space()
	if p.Err != nil {
		return
	}
	n := strings.IndexByte(p.Rest(), ',')
	if n < 0 {
		n = len(p.Rest())
	}
	text := strings.TrimSpace(p.Rest()[:n])
	q, why := kind.parseQuantity(text)
	switch {
	case why != "":
		p.Fail(p.At, "%s is %.32q: %s", kind, text, why)
	case all.Of(kind) != 0:
		p.Fail(start, "%s stands here twice", kind)
	case len(*all) == MaxKinds:
		p.Fail(start, "more than %d kinds", MaxKinds)
	}
	p.At += n
	*all = all.with(kind, q)
}

// String is what ParseAmounts reads; "" for none.
func (a Amounts) String() string {
	var b strings.Builder
	for i, x := range a {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(string(x.Kind) + "=" + x.Kind.Format(x.Quantity))
	}
	return b.String()
}

// Of is how much of k there is; 0 when k is not among them.
func (a Amounts) Of(k Kind) Quantity {
	for i := range a {
		if a[i].Kind == k {
			return a[i].Quantity
		}
	}
	return 0
}

// Has reports whether k is among them.
func (a Amounts) Has(k Kind) bool {
	return slices.ContainsFunc(a, func(x Amount) bool { return x.Kind == k })
}

// Check refuses what ParseAmounts cannot have made: kinds without a name or out
// of order, quantities that are not positive or larger than Kind.Max. It is for
// what comes from a program or a peer.
func (a Amounts) Check() error {
	if len(a) == 0 || len(a) > MaxKinds {
		return fmt.Errorf("%d kinds of resources: want 1 to %d", len(a), MaxKinds)
	}
	for i, x := range a {
		switch {
		case !x.Kind.check():
			return fmt.Errorf("kind %.40q is not a name of at most %d letters, digits, '.', '_' and '-'", string(x.Kind), MaxKind)
		case x.Quantity < 1 || x.Quantity > x.Kind.Max():
			return fmt.Errorf("%s=%d: want 1 to %d in units of the kind", x.Kind, x.Quantity, x.Kind.Max())
		case i > 0 && a[i-1].Kind >= x.Kind:
			return fmt.Errorf("kind %s stands twice or out of order", x.Kind)
		}
	}
	return nil
}

// with is a with q of k, in its place.
func (a Amounts) with(k Kind, q Quantity) Amounts {
	i, there := slices.BinarySearchFunc(a, k, func(x Amount, k Kind) int { return strings.Compare(string(x.Kind), string(k)) })
	if there {
		a[i].Quantity = q
		return a
	}
	return slices.Insert(a, i, Amount{k, q})
}

// AmountsOf is Amounts from a map, in order; the result is the caller's.
func AmountsOf(quantities map[Kind]Quantity) Amounts {
	a := make(Amounts, 0, len(quantities))
	for k, q := range quantities {
		a = append(a, Amount{k, q})
	}
	slices.SortFunc(a, func(x, y Amount) int { return strings.Compare(string(x.Kind), string(y.Kind)) })
	return a
}
