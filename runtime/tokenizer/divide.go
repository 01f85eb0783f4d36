package tokenizer

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/llama-pajamas/pj/runtime/tokenizer/pattern"
)

// gpt2Split is how ByteLevel divides by itself.
const gpt2Split = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// behavior says what becomes of the matches of a pattern; names are the hub
// library's.
type behavior string

const (
	isolated     behavior = "Isolated"           // pieces of their own
	removed      behavior = "Removed"            // dropped
	withPrevious behavior = "MergedWithPrevious" // the end of the piece before
	withNext     behavior = "MergedWithNext"     // the beginning of the piece after
	contiguous   behavior = "Contiguous"         // neighbours together
)

// division is one step in which a text is divided into words. What a step
// makes, the next divides further, as if it were all of the text.
type division struct {
	change  func(piece string, first bool) string // before it is divided; nil: nothing
	pattern *pattern.Pattern                      // nil: it is not divided
	behavior
	invert bool // matches and what is between them change places
}

// piecePart is a part of a text that a pattern divides.
type piecePart struct {
	start, end int
	match      bool
}

// each calls f for the pieces of a text.
func (d *division) each(text string, parts *[]piecePart, f func(piece string)) {
	if d.pattern == nil {
		f(text)
		return
	}
	scan := d.pattern.Scan(text)
	if d.behavior == isolated {
		for at := 0; at < len(text); {
			start, end, ok := scan.Next(at)
			if !ok {
				f(text[at:])
				return
			}
			if start > at {
				f(text[at:start])
			}
			f(text[start:end])
			at = end
		}
		return
	}
	p := (*parts)[:0]
	for at := 0; at < len(text); {
		start, end, ok := scan.Next(at)
		if !ok {
			start, end = len(text), len(text)
		}
		if start > at {
			p = append(p, piecePart{at, start, d.invert})
		}
		if end > start {
			p = append(p, piecePart{start, end, !d.invert})
		}
		at = end
	}
	*parts = p
	d.arrange(text, p, f)
}

// arrange puts matches where the behavior wants them.
func (d *division) arrange(text string, p []piecePart, f func(piece string)) {
	switch d.behavior {
	case removed:
		for _, part := range p {
			if !part.match {
				f(text[part.start:part.end])
			}
		}
	case contiguous:
		for i := 0; i < len(p); {
			k := i + 1
			for k < len(p) && p[k].match == p[i].match {
				k++
			}
			f(text[p[i].start:p[k-1].end])
			i = k
		}
	case withPrevious:
		for i := 0; i < len(p); {
			k := i + 1
			if !p[i].match && k < len(p) && p[k].match {
				k++
			}
			f(text[p[i].start:p[k-1].end])
			i = k
		}
	case withNext:
		for i := 0; i < len(p); {
			k := i + 1
			if p[i].match && k < len(p) && !p[k].match {
				k++
			}
			f(text[p[i].start:p[k-1].end])
			i = k
		}
	}
}

func dividing(expr string) (division, error) {
	p, err := pattern.Compile(expr)
	return division{pattern: p, behavior: isolated}, err
}

// patternValue is a pattern in a tokenizer.json: text or an expression.
type patternValue struct {
	String string `json:"String"`
	Regex  string `json:"Regex"`
}

func (p patternValue) compile() (*pattern.Pattern, error) {
	if p.String != "" {
		return pattern.Compile(quoted(p.String))
	}
	if p.Regex == "" {
		return nil, errors.New("a pattern is empty: correct the file")
	}
	return pattern.Compile(p.Regex)
}

// quoted is an expression for a text.
func quoted(s string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, `\x{%x}`, r)
	}
	return b.String()
}

// divisions are the steps of a pre-tokenizer.
type divisions struct {
	steps []division
	// letters says that a step after the first changed bytes into the letters
	// of byte-level vocabularies.
	letters bool
	// level says that the words are bytes.
	level bool
}

// preStep is a pre_tokenizer of a tokenizer.json.
type preStep struct {
	Type             string           `json:"type"`
	PreTokenizers    []jsontext.Value `json:"pretokenizers"`
	Pattern          patternValue     `json:"pattern"`
	Behavior         behavior         `json:"behavior"`
	Invert           bool             `json:"invert"`
	IndividualDigits bool             `json:"individual_digits"`
	AddPrefixSpace   *bool            `json:"add_prefix_space"`
	UseRegex         *bool            `json:"use_regex"`
	Replacement      string           `json:"replacement"`
	PrependScheme    string           `json:"prepend_scheme"`
	Split            *bool            `json:"split"`
	Delimiter        string           `json:"delimiter"`
}

// add reads a pre_tokenizer and appends its steps.
func (d *divisions) add(v jsontext.Value, depth int) error {
	if len(v) == 0 || v.Kind() == 'n' {
		return nil
	}
	var s preStep
	if err := json.Unmarshal(v, &s); err != nil {
		return fmt.Errorf("pre_tokenizer is not what it has to be (%w): correct the file", plainJSON(err))
	}
	if s.Type == "Sequence" {
		if depth > 4 {
			return errors.New("pre_tokenizer: sequences within sequences: correct the file")
		}
		for _, v := range s.PreTokenizers {
			if err := d.add(v, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if d.level && !d.letters {
		d.letters = true
		d.steps = append(d.steps, division{change: func(piece string, _ bool) string {
			return string(appendLetters(nil, piece))
		}})
	}
	if err := d.step(&s); err != nil {
		return fmt.Errorf("pre_tokenizer: %s: %w", s.Type, err)
	}
	return nil
}

// step appends one step.
func (d *divisions) step(s *preStep) error {
	yes := func(b *bool) bool { return b == nil || *b } // true where it is missing
	add := func(expr string, b behavior) error {
		p, err := pattern.Compile(expr)
		d.steps = append(d.steps, division{pattern: p, behavior: b})
		return err
	}
	switch s.Type {
	case "Split":
		switch s.Behavior {
		case isolated, removed, withPrevious, withNext, contiguous:
		default:
			return fmt.Errorf("the behavior %q is not known here: correct the file", s.Behavior)
		}
		p, err := s.Pattern.compile()
		d.steps = append(d.steps, division{pattern: p, behavior: s.Behavior, invert: s.Invert})
		return err
	case "ByteLevel":
		d.level = true
		if yes(s.AddPrefixSpace) {
			d.steps = append(d.steps, division{change: prefixed})
		}
		if yes(s.UseRegex) {
			return add(gpt2Split, isolated)
		}
		return nil
	case "Digits":
		if s.IndividualDigits {
			return add(`\p{N}`, isolated)
		}
		return add(`\p{N}`, contiguous)
	case "Punctuation":
		if s.Behavior == "" {
			s.Behavior = isolated
		}
		return add("[\\p{P}!-/:-@\\[-`{-~]", s.Behavior)
	case "Whitespace":
		p, err := pattern.Compile(`\w+|[^\w\s]+`)
		d.steps = append(d.steps, division{pattern: p, behavior: removed, invert: true})
		return err
	case "WhitespaceSplit":
		return add(`\s`, removed)
	case "CharDelimiterSplit":
		return add(quoted(s.Delimiter), removed)
	case "Metaspace":
		return d.metaspace(s, yes(s.Split))
	}
	return errors.New("this is not known here (Split, ByteLevel, Digits, Punctuation, Whitespace, WhitespaceSplit, CharDelimiterSplit, Metaspace and Sequence are): use the model's GGUF file instead")
}

func prefixed(piece string, _ bool) string {
	if strings.HasPrefix(piece, " ") {
		return piece
	}
	return " " + piece
}

// metaspace writes a visible character for spaces, and divides before each.
func (d *divisions) metaspace(s *preStep, split bool) error {
	if utf8.RuneCountInString(s.Replacement) != 1 {
		return errors.New("the replacement is not one character: correct the file")
	}
	scheme := s.PrependScheme
	if scheme == "" {
		scheme = "always"
		if s.AddPrefixSpace != nil && !*s.AddPrefixSpace {
			scheme = "never"
		}
	}
	d.steps = append(d.steps, division{change: func(piece string, first bool) string {
		piece = strings.ReplaceAll(piece, " ", s.Replacement)
		if (scheme == "always" || scheme == "first" && first) && !strings.HasPrefix(piece, s.Replacement) {
			piece = s.Replacement + piece
		}
		return piece
	}})
	if !split {
		return nil
	}
	p, err := pattern.Compile(quoted(s.Replacement))
	d.steps = append(d.steps, division{pattern: p, behavior: withNext})
	return err
}
