package resmgr

import (
	"math/big"
	"strconv"
	"strings"

	"kecho/resmgr/syntax"
)

// Kind is what a resource is called: "cpu", or what an operator declares, such
// as "gpu". A letter, then letters, digits, '.', '_' and '-'; at most MaxKind
// bytes.
type Kind string

// The kinds that have a unit of their own; every other kind is counted.
const (
	CPU  Kind = "cpu"  // in thousandths of a processor
	Mem  Kind = "mem"  // in bytes
	Disk Kind = "disk" // in bytes
	Net  Kind = "net"  // in bytes a second
)

// MaxKind is how many bytes a kind's name has at most.
const MaxKind = 32

// Quantity is how much of a kind, in the kind's unit. What can be asked for is
// 1 to Max of the kind.
type Quantity int64

// Float is q of k in base units: processors, bytes, bytes a second, or a count.
func (k Kind) Float(q Quantity) float64 {
	if k.unit() == thousandths {
		return float64(q) / 1000
	}
	return float64(q)
}

// Max is the largest quantity of k: more is a slip, such as a unit too much.
func (k Kind) Max() Quantity {
	switch k.unit() {
	case thousandths:
		return 1_000_000 * 1000 // a million processors
	case bytesUnit:
		return 1 << 50 // 1 Pi
	}
	return 1_000_000_000
}

type unit uint8

const (
	counted unit = iota
	thousandths
	bytesUnit
)

func (k Kind) unit() unit {
	switch k {
	case CPU:
		return thousandths
	case Mem, Disk, Net:
		return bytesUnit
	}
	return counted
}

// want says how a quantity of k is written.
func (k Kind) want() string {
	switch k.unit() {
	case thousandths:
		return "processors, such as 2, 0.5 or 500m"
	case bytesUnit:
		return "bytes, such as 512Mi, 1.5G or 1048576"
	}
	return "a whole number, such as 2"
}

// check is nil when k is a name.
func (k Kind) check() bool {
	return k != "" && len(k) <= MaxKind && syntax.NameLength(string(k)) == len(k)
}

// Format is q as Parse reads it: "1.5" processors, "512Mi", "2". What is no
// whole number of binary units is in bytes.
func (k Kind) Format(q Quantity) string {
	switch k.unit() {
	case thousandths:
		return strconv.FormatFloat(float64(q)/1000, 'f', -1, 64)
	case bytesUnit:
		for i := len(binary) - 1; i >= 0; i-- {
			if size := Quantity(1) << (10 * (i + 1)); q != 0 && q%size == 0 {
				return strconv.FormatInt(int64(q/size), 10) + binary[i]
			}
		}
	}
	return strconv.FormatInt(int64(q), 10)
}

var (
	binary  = []string{"Ki", "Mi", "Gi", "Ti", "Pi"}
	decimal = []string{"k", "M", "G", "T", "P"}
)

// scale is what a suffix multiplies the number before it with; false: k has no
// such suffix.
func (k Kind) scale(suffix string) (*big.Rat, bool) {
	one := big.NewRat(1, 1)
	switch k.unit() {
	case thousandths:
		switch suffix {
		case "":
			return big.NewRat(1000, 1), true
		case "m":
			return one, true
		}
		return nil, false
	case bytesUnit:
		if strings.EqualFold(suffix, "K") {
			suffix = "k"
		}
		for i := range binary {
			switch suffix {
			case binary[i]:
				return new(big.Rat).SetInt64(1 << (10 * (i + 1))), true
			case decimal[i]:
				thousand := int64(1)
				for range i + 1 {
					thousand *= 1000
				}
				return new(big.Rat).SetInt64(thousand), true
			}
		}
	}
	return one, suffix == ""
}

// parseQuantity reads how much of k text says; why is "" when it can be.
func (k Kind) parseQuantity(text string) (q Quantity, why string) {
	digits := syntax.SpanOf(text, "0123456789.")
	number, suffix := text[:digits], text[digits:]
	if strings.HasPrefix(text, "-") && len(text) > 1 {
		return 0, "it is negative: want more than 0"
	}
	scale, ok := k.scale(suffix)
	if digits == 0 || digits > 32 || !ok {
		return 0, "want " + k.want()
	}
	value, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, "want " + k.want()
	}
	value.Mul(value, scale)
	switch {
	case value.Sign() == 0:
		return 0, "it is zero: leave " + string(k) + " out, or ask for some"
	case value.Cmp(new(big.Rat).SetInt64(int64(k.Max()))) > 0:
		return 0, "more than any node can have; at most " + k.Format(k.Max())
	case !value.IsInt():
		return 0, "finer than the unit; want " + k.want()
	}
	return Quantity(value.Num().Int64()), ""
}
