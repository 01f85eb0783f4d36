package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/unicode/norm"
)

// normalizer changes a text before it is divided.
type normalizer func(string) string

// normalForm is one of Unicode's normal forms. Package norm puts U+034F into
// runs of more than 30 combining marks; a tokenizer must not, so that such
// runs are ordered and composed here.
func normalForm(f norm.Form) normalizer {
	return func(s string) string {
		n := f.QuickSpanString(s)
		if n == len(s) {
			return s
		}
		if longest(s) <= 30 {
			return f.String(s)
		}
		return normalLong(f, s)
	}
}

// longest is the length of the longest run of characters that can't begin a
// normalized text, decomposed.
func longest(s string) int {
	most, now := 0, 0
	for i := 0; i < len(s); {
		p := norm.NFKD.PropertiesString(s[i:])
		size := max(p.Size(), 1)
		if d := p.Decomposition(); p.CCC() != 0 {
			now += max(1, len(d)/2)
		} else {
			now = len(d) / 2
		}
		most = max(most, now)
		i += size
	}
	return most
}

// normalLong decomposes, puts marks in their canonical order and composes, by
// the definition (Unicode Standard, 3.11).
func normalLong(f norm.Form, s string) string {
	decompose := norm.NFD
	if f == norm.NFKC || f == norm.NFKD {
		decompose = norm.NFKD
	}
	class := func(r rune) uint8 { return norm.NFD.PropertiesString(string(r)).CCC() }
	var out []rune
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return s // no text
		}
		out = append(out, []rune(decompose.String(string(r)))...)
	}
	for i := 0; i < len(out); {
		k := i + 1
		if class(out[i]) != 0 {
			for k < len(out) && class(out[k]) != 0 {
				k++
			}
			slices.SortStableFunc(out[i:k], func(a, b rune) int { return int(class(a)) - int(class(b)) })
		}
		i = k
	}
	if f == norm.NFD || f == norm.NFKD {
		return string(out)
	}
	composed := out[:0]
	starter, last := -1, uint8(0)
	for _, r := range out {
		c := class(r)
		if starter >= 0 && (last < c || last == 0 && starter == len(composed)-1) {
			if pair := []rune(norm.NFC.String(string([]rune{composed[starter], r}))); len(pair) == 1 {
				composed[starter] = pair[0]
				continue
			}
		}
		if c == 0 {
			starter = len(composed)
		}
		last = c
		composed = append(composed, r)
	}
	return string(composed)
}

// normalizersOf reads the normalizer of a tokenizer.json.
func normalizersOf(v jsontext.Value, depth int) ([]normalizer, error) {
	if len(v) == 0 || v.Kind() == 'n' {
		return nil, nil
	}
	var n struct {
		Type        string           `json:"type"`
		Normalizers []jsontext.Value `json:"normalizers"`
		Prepend     string           `json:"prepend"`
		Pattern     patternValue     `json:"pattern"`
		Content     string           `json:"content"`
		StripLeft   bool             `json:"strip_left"`
		StripRight  bool             `json:"strip_right"`
	}
	if err := json.Unmarshal(v, &n); err != nil {
		return nil, fmt.Errorf("normalizer is not what it has to be (%w): correct the file", plainJSON(err))
	}
	one := func(f normalizer) ([]normalizer, error) { return []normalizer{f}, nil }
	switch n.Type {
	case "Sequence":
		if depth > 4 {
			return nil, errors.New("normalizer: sequences within sequences: correct the file")
		}
		var out []normalizer
		for _, v := range n.Normalizers {
			more, err := normalizersOf(v, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		}
		return out, nil
	case "NFC":
		return one(normalForm(norm.NFC))
	case "NFD":
		return one(normalForm(norm.NFD))
	case "NFKC":
		return one(normalForm(norm.NFKC))
	case "NFKD":
		return one(normalForm(norm.NFKD))
	case "Lowercase":
		return one(strings.ToLower)
	case "StripAccents":
		return one(withoutAccents)
	case "Prepend":
		return one(func(s string) string {
			if s == "" {
				return s
			}
			return n.Prepend + s
		})
	case "Strip":
		return one(func(s string) string {
			if n.StripLeft {
				s = strings.TrimLeftFunc(s, unicode.IsSpace)
			}
			if n.StripRight {
				s = strings.TrimRightFunc(s, unicode.IsSpace)
			}
			return s
		})
	case "Replace":
		if n.Pattern.String != "" {
			return one(func(s string) string { return strings.ReplaceAll(s, n.Pattern.String, n.Content) })
		}
		p, err := n.Pattern.compile()
		if err != nil {
			return nil, fmt.Errorf("normalizer: %w", err)
		}
		return one(func(s string) string {
			var b strings.Builder
			scan, at := p.Scan(s), 0
			for {
				start, end, ok := scan.Next(at)
				if !ok {
					b.WriteString(s[at:])
					return b.String()
				}
				b.WriteString(s[at:start])
				b.WriteString(n.Content)
				at = end
			}
		})
	}
	return nil, fmt.Errorf("the normalizer %q is not known here (NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Prepend, Strip, Replace and Sequence are): use the model's GGUF file instead", n.Type)
}

func withoutAccents(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsMark(r) {
			return -1
		}
		return r
	}, s)
}
