package model

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// idParts is what a model's name says: "Qwen3-30B-A3B-Instruct-2507" has the
// base name Qwen3, the size 30B-A3B, the fine-tune Instruct, the version 2507.
type idParts struct {
	full, organization                string
	basename, finetune, version, size string
}

var (
	versionPart  = regexp.MustCompile(`^(?i:(v|iter)?\d+([.]\d+)*)$`)
	typePart     = regexp.MustCompile(`^(?i:i?q\d(_\w)*|b?fp?(16|32))$`)
	sizePart     = regexp.MustCompile(`^(?i:(([A]|\d+[x])?\d+([._]\d+)?[KMBT][\d]?|small|mini|medium|large|x?xl))$`)
	finetunePart = regexp.MustCompile(`^(?i:chat|instruct|vision|lora)$`)
	keptWord     = regexp.MustCompile(`^(v\d+(\.\d+)*|\d.*)$`)
)

// kinds of a name's parts, as bits: a part of several is not sure.
const (
	kindBasename = 1 << iota
	kindSize
	kindFinetune
	kindVersion
	kindType
)

// partsOf takes a name apart as llama.cpp's converter does.
func partsOf(id string, parameters int64) idParts {
	if id == "" || strings.Contains(id, " ") {
		return idParts{full: id} // a sentence, not a name on the hub
	}
	p := idParts{full: id}
	if org, name, ok := strings.Cut(id, "/"); ok {
		p.full = name
		if !strings.HasPrefix(org, ".") {
			p.organization = org
		}
	}
	parts := strings.FieldsFunc(p.full, func(r rune) bool { return r == '-' })
	kinds := make([]int, len(parts))
	for i := range parts {
		parts[i], kinds[i] = kindOf(parts[i], i, parameters)
	}
	dropWords(parts, kinds)
	findBasename(parts, kinds)
	p.basename = joined(parts, kinds, kindBasename, 0, false)
	p.size = joined(parts, kinds, kindSize, 0, true)
	p.finetune = joined(parts, kinds, kindFinetune, 0, false)
	p.version = joined(parts, kinds, kindVersion, kindBasename, false)
	if p.size == "" && p.finetune == "" && p.version == "" {
		p.basename = "" // it would be the whole name again
	}
	return p
}

// kindOf says what a part looks like, and how it is written.
func kindOf(part string, i int, parameters int64) (string, int) {
	switch {
	case versionPart.MatchString(part):
		return part, kindVersion
	case typePart.MatchString(part):
		return strings.ToUpper(part), kindType
	case i > 0 && sizePart.MatchString(part):
		return sizeKind(part, parameters)
	case i > 0 && finetunePart.MatchString(part):
		return part, kindFinetune
	}
	return part, 0
}

// sizeKind writes a size as 7.1B. One that is far from the model's is likely
// the length of its context, "128k".
func sizeKind(part string, parameters int64) (string, int) {
	part = strings.ReplaceAll(part, "_", ".")
	n := len(part)
	if isDigit(part[n-1]) { // bloom-7b1
		part = part[:n-2] + "." + part[n-1:] + part[n-2:n-1]
		n = len(part)
	}
	number, unit := part[:n-1], part[n-1:]
	if n > 1 && isDigit(part[n-2]) {
		unit = strings.ToUpper(unit)
	}
	if x, err := strconv.ParseFloat(number, 64); err == nil && parameters > 0 {
		size := x * math.Pow(1000, float64(strings.Index(" KMBT", unit)))
		if math.Abs(size-float64(parameters)) > float64(7*parameters/8) {
			return number + strings.ToLower(unit), kindFinetune
		}
	}
	return number + unit, kindSize
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// dropWords leaves sizes that are words ("mini") out where there are numbers.
func dropWords(parts []string, kinds []int) {
	numbers := false
	for i, k := range kinds {
		numbers = numbers || k&kindSize != 0 && strings.ContainsFunc(parts[i], unicode.IsDigit)
	}
	for i := range kinds {
		word := !strings.ContainsFunc(parts[i], func(r rune) bool { return !unicode.IsLetter(r) })
		if numbers && word {
			kinds[i] &^= kindSize
		}
	}
}

// findBasename takes the first parts that nothing was recognised in, and
// versions between them; what else is not recognised names the fine-tune.
func findBasename(parts []string, kinds []int) {
	start := true
	for i := range parts {
		first := []rune(parts[i])[0]
		if start && (kinds[i] == 0 && unicode.IsLetter(first) || kinds[i]&kindVersion != 0) {
			kinds[i] |= kindBasename
			continue
		}
		start = false
		if kinds[i] == 0 {
			kinds[i] = kindFinetune
		}
	}
	// A version at the end is one.
	for i := len(kinds) - 1; i >= 0; i-- {
		if kinds[i]&kindBasename == 0 || kinds[i] == kindBasename {
			break
		}
		kinds[i] &^= kindBasename
	}
}

// joined are the parts of a kind, and not of another, once each if unique.
func joined(parts []string, kinds []int, kind, not int, unique bool) string {
	var out []string
	seen := map[string]bool{}
	for i, k := range kinds {
		if k&kind == 0 || k&not != 0 || unique && seen[parts[i]] {
			continue
		}
		seen[parts[i]] = true
		out = append(out, parts[i])
	}
	return strings.Join(out, "-")
}

// title writes a name as a title: words that are all lower case get a capital,
// versions and numbers stay.
func title(s string) string {
	words := strings.Fields(strings.ReplaceAll(s, "-", " "))
	for i, w := range words {
		if strings.ToLower(w) == w && strings.ToUpper(w) != w && !keptWord.MatchString(w) {
			words[i] = capitals(w)
		}
	}
	return strings.Join(words, " ")
}

// capitals sets a capital wherever letters begin: qwen3moe is Qwen3Moe.
func capitals(w string) string {
	inside := false
	return strings.Map(func(r rune) rune {
		letter := unicode.IsLetter(r)
		if letter && !inside {
			r = unicode.ToTitle(r)
		}
		inside = letter
		return r
	}, w)
}
