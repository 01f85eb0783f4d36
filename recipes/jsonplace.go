package recipes

import (
	"bytes"
	"sort"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// jsonStrings knows where the strings with escapes are in a JSON text. The HCL
// library places what it finds inside a string as if the string had no
// escapes; adjust moves such a range to where its text really is.
type jsonStrings struct {
	src   []byte
	spans []jsonString // in order
	last  hcl.Pos      // how far lines and columns are counted
}

// jsonString is a string from its quote to past the closing one.
type jsonString struct {
	start hcl.Pos
	end   int
}

// add takes note of a string; later ones come later in the text.
func (s *jsonStrings) add(from, to int) {
	if bytes.IndexByte(s.src[from:to], '\\') >= 0 {
		s.last = advance(s.src, s.last, from)
		s.spans = append(s.spans, jsonString{s.last, to})
	}
}

// advance counts lines and columns from a place on.
func advance(src []byte, from hcl.Pos, to int) hcl.Pos {
	if from.Line == 0 {
		from = hcl.InitialPos
	}
	to = max(from.Byte, min(to, len(src)))
	passed := src[from.Byte:to]
	if n := bytes.Count(passed, []byte("\n")); n > 0 {
		from.Line += n
		from.Column = 1
		passed = passed[bytes.LastIndexByte(passed, '\n')+1:]
	}
	return hcl.Pos{Byte: to, Line: from.Line, Column: from.Column + utf8.RuneCount(passed)}
}

// adjust corrects a range that begins inside a string.
func (s *jsonStrings) adjust(r hcl.Range) hcl.Range {
	at := r.Start.Byte
	i := sort.Search(len(s.spans), func(i int) bool { return s.spans[i].end > at })
	if i == len(s.spans) || at <= s.spans[i].start.Byte {
		return r
	}
	span := s.spans[i]
	offsets := s.offsets(span)
	source := func(pos int) hcl.Pos {
		n := pos - span.start.Byte - 1
		return advance(s.src, span.start, offsets[max(0, min(n, len(offsets)-1))])
	}
	return hcl.Range{Filename: r.Filename, Start: source(r.Start.Byte), End: source(max(r.Start.Byte, r.End.Byte))}
}

// offsets maps each byte of the decoded string, and its end, to the source.
func (s *jsonStrings) offsets(span jsonString) []int {
	var out []int
	end := span.end - 1
	for i := span.start.Byte + 1; i < end; {
		width, decoded := 1, 1
		if s.src[i] == '\\' {
			width = 2
			if i+1 < end && s.src[i+1] == 'u' {
				width = 6
				decoded = decodedLen(s.src[i+2 : min(i+6, end)])
			}
		}
		for range decoded {
			out = append(out, i)
		}
		i += width
	}
	return append(out, end)
}

// decodedLen is how many bytes of UTF-8 the escape \uXXXX stands for. Halves
// of a surrogate pair count two each.
func decodedLen(hex []byte) int {
	r := rune(0)
	for _, c := range hex {
		r <<= 4
		switch {
		case c >= '0' && c <= '9':
			r |= rune(c - '0')
		case c >= 'a' && c <= 'f':
			r |= rune(c-'a') + 10
		case c >= 'A' && c <= 'F':
			r |= rune(c-'A') + 10
		}
	}
	if r >= 0xd800 && r < 0xe000 {
		return 2
	}
	return utf8.RuneLen(r)
}

// rangeOf is the range between two byte offsets.
func (s *jsonStrings) rangeOf(file string, from, to int) hcl.Range {
	start := advance(s.src, hcl.Pos{}, from)
	return hcl.Range{Filename: file, Start: start, End: advance(s.src, start, to)}
}
