package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
)

// outputFlags are the flags of every command that prints data.
func outputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT` of the data: table, json, or ndjson: a line a thing"},
		&cli.BoolFlag{Name: "no-color", Usage: "no colours, as NO_COLOR=1 and TERM=dumb say too"},
	}
}

// printer prints a command's data to standard output.
type printer struct {
	out   io.Writer
	json  bool // JSON of some form
	lines bool // one value a line
	color bool
}

func newPrinter(c *cli.Context) (*printer, error) {
	p := &printer{out: c.App.Writer}
	switch format := c.String("output"); format {
	case "table":
	case "json":
		p.json = true
	case "ndjson":
		p.json, p.lines = true, true
	default:
		return nil, usageError(c, "--output %q: want table, json or ndjson", format)
	}
	p.color = terminal(p.out) && !c.Bool("no-color") &&
		os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return p, nil
}

// terminal reports whether w is one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && info.Mode()&os.ModeDevice != 0
}

func (p *printer) printJSON(v any) error {
	enc := json.NewEncoder(p.out)
	if !p.lines {
		enc.SetIndent("", "  ")
	}
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// printItems prints a list as the API has it, or a line an item.
func printItems[T any](p *printer, items []T) error {
	if !p.lines {
		return p.printJSON(api.List[T]{Items: items})
	}
	for _, item := range items {
		if err := p.printJSON(item); err != nil {
			return err
		}
	}
	return nil
}

// cell is one cell of a table. Its text is cleaned of control characters when
// it is printed: some of it comes from other machines.
type cell struct {
	text  string
	paint paint
	right bool
}

// paint is a colour of a terminal's 16, as its SGR code.
type paint string

const (
	plain  paint = ""
	bold   paint = "1"
	red    paint = "31"
	green  paint = "32"
	yellow paint = "33"
)

func text(s string) cell { return cell{text: s} }

// number is a right-aligned cell.
func number(format string, args ...any) cell {
	return cell{text: fmt.Sprintf(format, args...), right: true}
}

// printTable prints rows in columns, two spaces apart; the first row is the
// heading.
func (p *printer) printTable(rows [][]cell) error {
	var widths []int
	for _, row := range rows {
		for i := range row {
			row[i].text = clean(row[i].text)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
		}
	}
	var b strings.Builder
	for n, row := range rows {
		var line strings.Builder
		for i, c := range row {
			if n == 0 {
				c.paint, c.right = bold, i < len(rows[len(rows)-1]) && rows[len(rows)-1][i].right
			}
			line.WriteString(p.padded(c, widths[i]))
			line.WriteString("  ")
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
	_, err := io.WriteString(p.out, b.String())
	return err
}

func (p *printer) padded(c cell, width int) string {
	pad := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(c.text)))
	shown := p.painted(c.text, c.paint)
	if c.right {
		return pad + shown
	}
	return shown + pad
}

func (p *printer) painted(s string, with paint) string {
	if !p.color || with == plain {
		return s
	}
	return "\x1b[" + string(with) + "m" + s + "\x1b[0m"
}

func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, s)
}
