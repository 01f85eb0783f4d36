// Package jinja renders chat templates: the part of Jinja2 that they use, with
// the settings and additions of the hub's library (trim_blocks and
// lstrip_blocks, loop controls, tojson, strftime_now, raise_exception), and
// Python's ways of writing values.
//
// It is written here because the libraries that were tried let a macro that calls
// itself end the whole process. Templates come with models, from anywhere: nothing
// in one reaches files or the network, and its time, memory, nesting and output
// are bounded.
package jinja

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Bounds of one rendering.
const (
	maxSource = 4 << 20  // bytes of a template
	maxText   = 32 << 20 // bytes of one string, and of the outcome
	maxWork   = 1 << 28  // steps, with the bytes of all strings made
	maxNest   = 100      // of values, statements and expressions
	maxCalls  = 200      // macros within macros, loops within loops
	maxItems  = 1 << 20  // of one list
	maxRange  = 100_000  // numbers of range()
)

// step is the work of one expression or statement.
const step = 16

var (
	errLarge    = fmt.Errorf("a text of more than %d MiB", maxText>>20)
	errBreak    = errors.New("break outside of a loop")
	errContinue = errors.New("continue outside of a loop")
)

// Error is a mistake in a template, or one that it finds in what it is given.
type Error struct {
	Line    int
	Message string
	// Raised says that the template itself complained, by raise_exception.
	Raised bool
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

// Template is a parsed template. It may be used by several goroutines.
type Template struct{ body []stmt }

// Parse reads a template.
func Parse(source string) (*Template, error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("the template has %d bytes, more than %d", len(source), maxSource)
	}
	body, err := parse(source)
	if err != nil {
		return nil, err
	}
	return &Template{body}, nil
}

// Render fills a template in. Values are those that FromJSON makes. now is the
// time of strftime_now.
func (t *Template) Render(ctx context.Context, vars map[string]any, now time.Time) (string, error) {
	r := &renderer{ctx: ctx, now: now, out: &strings.Builder{}}
	r.scope = &scope{vars: globals}
	r.push()
	for k, v := range vars {
		r.scope.set(k, v)
	}
	if err := r.exec(t.body); err != nil {
		return "", err
	}
	return r.out.String(), nil
}

// scope holds variables; those of the scopes around are seen too.
type scope struct {
	vars map[string]any
	up   *scope
}

func (s *scope) get(name string) (any, bool) {
	for ; s != nil; s = s.up {
		if v, ok := s.vars[name]; ok {
			return v, true
		}
	}
	return nil, false
}

func (s *scope) set(name string, v any) {
	if s.vars == nil {
		s.vars = map[string]any{}
	}
	s.vars[name] = v
}

// renderer is one rendering.
type renderer struct {
	ctx   context.Context
	now   time.Time
	out   *strings.Builder
	scope *scope
	work  int
	check int // work at which the context is asked next
	depth int
}

func (r *renderer) push() { r.scope = &scope{up: r.scope} }

func (r *renderer) pop() { r.scope = r.scope.up }

// spend counts work.
func (r *renderer) spend(n int) error {
	r.work += n
	if r.work > maxWork {
		return errors.New("the template takes too long: it repeats itself too often, or makes too much text")
	}
	if r.work > r.check {
		r.check = r.work + 1<<16
		return r.ctx.Err()
	}
	return nil
}

// made counts the bytes of a string that an operation makes.
func (r *renderer) made(s string) (any, error) {
	if len(s) > maxText {
		return nil, errLarge
	}
	return s, r.spend(len(s))
}

// room checks that there is room for a string, before it is made.
func (r *renderer) room(n int) error {
	if n < 0 || n > maxText {
		return errLarge
	}
	return r.spend(n)
}

func (r *renderer) write(s string) error {
	if r.out.Len()+len(s) > maxText {
		return errLarge
	}
	r.out.WriteString(s)
	return r.spend(len(s))
}

func (r *renderer) exec(body []stmt) error {
	for _, s := range body {
		if err := r.spend(step); err != nil {
			return err
		}
		if err := s.exec(r); err != nil {
			return err
		}
	}
	return nil
}

// capture renders statements to a string.
func (r *renderer) capture(body []stmt) (string, error) {
	out := r.out
	r.out = &strings.Builder{}
	err := r.exec(body)
	s := r.out.String()
	r.out = out
	return s, err
}

// enter bounds what is within each other.
func (r *renderer) enter() error {
	if r.depth++; r.depth > maxCalls {
		return fmt.Errorf("more than %d macros and loops within each other", maxCalls)
	}
	return nil
}

// at adds the line to an error that has none.
func at(line int, err error) error {
	var e *Error
	if err == nil || errors.As(err, &e) || errors.Is(err, errBreak) || errors.Is(err, errContinue) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var raised errRaised
	return &Error{Line: line, Message: err.Error(), Raised: errors.As(err, &raised)}
}
