package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/term"
)

const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	reset  = "\x1b[0m"
)

// print writes text to standard output, less what the recipe keeps secret.
func (a *app) print(text string) error {
	a.stderr.clear()
	_, err := io.WriteString(a.stdout, a.redact(text))
	return err
}

// printJSON writes the command's one JSON object.
func (a *app) printJSON(v any) error {
	a.stderr.clear()
	a.wroteJSON = true
	var raw bytes.Buffer
	e := json.NewEncoder(&raw)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	d := jsontext.NewDecoder(&raw)
	var out bytes.Buffer
	w := jsontext.NewEncoder(&out, jsontext.WithIndent("  "), jsontext.SpaceAfterColon(true))
	for {
		t, err := d.ReadToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if t.Kind() == '"' {
			t = jsontext.String(a.redact(t.String()))
		}
		if err := w.WriteToken(t); err != nil {
			return err
		}
	}
	_, err := a.stdout.Write(out.Bytes())
	return err
}

// listed makes sure that an empty list is [] in JSON, not null.
func listed[T any](list []T) []T { return append([]T{}, list...) }

// note says something to a person who watches: on standard error, not with
// --quiet.
func (a *app) note(format string, args ...any) {
	if !a.flags.quiet {
		fmt.Fprintln(a.stderr, a.redact(fmt.Sprintf(format, args...)))
	}
}

// warn says what a person should look into, also with --quiet.
func (a *app) warn(format string, args ...any) {
	fmt.Fprintln(a.stderr, a.paint(bold+yellow, "Warning:"), a.redact(fmt.Sprintf(format, args...)))
}

// paint colours a text for standard error.
func (a *app) paint(code, s string) string { return paintIf(a.colorful(a.stderr.under), code, s) }

// ink colours a text for standard output.
func (a *app) ink(code, s string) string { return paintIf(a.colorful(a.stdout), code, s) }

func paintIf(on bool, code, s string) string {
	if !on || s == "" {
		return s
	}
	return code + s + reset
}

// colorful reports whether colours may go to w.
func (a *app) colorful(w io.Writer) bool {
	return !a.flags.noColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(w)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width is how many characters a line of w has, 0 where it is no terminal.
func width(w io.Writer) int {
	if !isTerminal(w) {
		return 0
	}
	n, _, err := term.GetSize(int(w.(*os.File).Fd()))
	if err != nil {
		return 80
	}
	return n
}

// table lays out rows in columns. Columns whose header begins with ">" stand
// to the right; without any header there is no such line. Only the last column
// may be coloured.
type table struct {
	header []string
	rows   [][]string
	indent string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// String is the table; nothing where it has no rows.
func (t *table) String() string {
	if len(t.rows) == 0 {
		return ""
	}
	right := make([]bool, len(t.header))
	head := make([]string, len(t.header))
	wide := make([]int, len(t.header))
	for i, h := range t.header {
		head[i], right[i] = strings.TrimPrefix(h, ">"), strings.HasPrefix(h, ">")
		wide[i] = utf8.RuneCountInString(head[i])
	}
	for _, r := range t.rows {
		for i, c := range r {
			wide[i] = max(wide[i], utf8.RuneCountInString(c))
		}
	}
	var b strings.Builder
	rows := t.rows
	if len(strings.Join(head, "")) > 0 {
		rows = append([][]string{head}, rows...)
	}
	for _, r := range rows {
		var line strings.Builder
		for i, c := range r {
			pad := strings.Repeat(" ", wide[i]-utf8.RuneCountInString(c))
			if right[i] {
				c = pad + c
			} else {
				c += pad
			}
			if i > 0 {
				line.WriteString("  ")
			}
			line.WriteString(c)
		}
		b.WriteString(t.indent + strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// plural is "1 tensor", "2 tensors".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	many := one + "s"
	if stem, ok := strings.CutSuffix(one, "y"); ok {
		many = stem + "ies"
	}
	return fmt.Sprintf("%d %s", n, many)
}
