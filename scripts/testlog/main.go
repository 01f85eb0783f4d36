// Command testlog reads what go test -json writes and prints what people need
// of it: a line for each package, the output of what failed, and in the end
// every test that was skipped, with its reason. It exits 1 where a test failed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	ok, err := run(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testlog:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// event is a line of go test -json.
type event struct {
	Action     string
	Package    string
	ImportPath string // of build-output
	Test       string
	Elapsed    float64
	Output     string
}

type key struct{ pkg, test string }

// log collects what was seen.
type log struct {
	w       io.Writer
	output  map[key][]string
	passed  int
	failed  []key
	skipped []key
	tests   map[string]int // that ran, by package
	seen    bool
}

func run(r io.Reader, w io.Writer) (ok bool, err error) {
	l := &log{w: w, output: map[key][]string{}, tests: map[string]int{}}
	s := bufio.NewScanner(r)
	s.Buffer(nil, 64<<20)
	for s.Scan() {
		var e event
		if json.Unmarshal(s.Bytes(), &e) != nil {
			fmt.Fprintln(w, s.Text()) // of go itself
			continue
		}
		l.add(e)
	}
	if err := s.Err(); err != nil {
		return false, err
	}
	return l.finish(), nil
}

func (l *log) add(e event) {
	l.seen = true
	k := key{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(l.w, e.Output)
	case "output":
		l.output[k] = append(l.output[k], e.Output)
	case "pass", "fail", "skip":
		l.ended(k, e)
	}
}

func (l *log) ended(k key, e event) {
	switch {
	case k.test == "" && e.Action == "fail":
		l.failed = append(l.failed, k)
		l.print(k)
		fmt.Fprintf(l.w, "FAIL  %s\n", k.pkg)
	case k.test == "" && e.Action == "skip": // no test files
	case k.test == "":
		fmt.Fprintf(l.w, "ok    %-55s %4d tests %7.1fs\n", k.pkg, l.tests[k.pkg], e.Elapsed)
	case e.Action == "fail":
		l.failed = append(l.failed, k)
		fmt.Fprintf(l.w, "--- FAIL: %s %s\n", k.pkg, k.test)
		l.print(k)
	case e.Action == "skip":
		l.skipped = append(l.skipped, k)
	default:
		l.passed++
		l.tests[k.pkg]++
		delete(l.output, k)
	}
}

func (l *log) print(k key) {
	for _, line := range l.output[k] {
		fmt.Fprint(l.w, line)
	}
}

// finish prints the sum.
func (l *log) finish() (ok bool) {
	slices.SortFunc(l.skipped, func(a, b key) int { return strings.Compare(a.pkg+" "+a.test, b.pkg+" "+b.test) })
	for i, k := range l.skipped {
		if i == 0 {
			fmt.Fprintf(l.w, "\nSKIPPED, so that nothing is known of it here:\n")
		}
		fmt.Fprintf(l.w, "  %s %s: %s\n", k.pkg, k.test, l.reason(k))
	}
	tests := 0
	for _, k := range l.failed {
		if k.test != "" {
			tests++
		}
	}
	fmt.Fprintf(l.w, "\n%d tests passed, %d failed, %d skipped\n", l.passed, tests, len(l.skipped))
	if !l.seen {
		fmt.Fprintln(l.w, "no test ran")
	}
	return len(l.failed) == 0 && l.seen
}

// reason is what the test said when it skipped itself.
func (l *log) reason(k key) string {
	said := ""
	for _, line := range l.output[k] {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			said = line
		}
	}
	if said == "" {
		return "no reason given"
	}
	return said
}
